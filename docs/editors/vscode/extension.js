// Starts `koi lsp` and lets it speak with the editor; what it can do it says itself.
const vscode = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

exports.activate = async function (context) {
  const settings = vscode.workspace.getConfiguration("koi");
  client = new LanguageClient(
    "koi",
    "Koi",
    { command: settings.get("command") || "koi", args: ["lsp", "--stdio"] },
    {
      documentSelector: [{ language: "koi" }],
      initializationOptions: { language: settings.get("language") || vscode.env.language },
    }
  );
  context.subscriptions.push({ dispose: () => client && client.stop() });
  await client.start();
};

exports.deactivate = () => client && client.stop();
