// Asks the platform at the address that is given for what Koi's connector asks of a message to customer
// groups, through weixin-java-cp.
import java.util.List;
import me.chanjar.weixin.cp.api.WxCpExternalContactService;
import me.chanjar.weixin.cp.api.impl.WxCpServiceImpl;
import me.chanjar.weixin.cp.bean.external.WxCpMsgTemplate;
import me.chanjar.weixin.cp.bean.external.msg.Text;
import me.chanjar.weixin.cp.config.impl.WxCpDefaultConfigImpl;

public class GroupSend {
  public static void main(String[] arguments) throws Exception {
    WxCpDefaultConfigImpl account = new WxCpDefaultConfigImpl();
    account.setBaseApiUrl(arguments[0]);
    account.setCorpId("ww1");
    account.setCorpSecret("secret");
    WxCpServiceImpl service = new WxCpServiceImpl();
    service.setWxCpConfigStorage(account);
    WxCpExternalContactService contact = service.getExternalContactService();

    WxCpMsgTemplate message = new WxCpMsgTemplate();
    message.setChatType("group");
    message.setChatIdList(List.of("wrA", "wrB"));
    message.setSender("zhang");
    message.setText(new Text().setContent(arguments[1]));
    contact.addMsgTemplate(message);
    contact.getGroupMsgTask("task-1", 1000, null);
    contact.getGroupMsgSendResult("task-1", "zhang", 1000, null);
  }
}
