"""`koi lsp`, driven over its standard input and output by pygls, a client from PyPI.

By hand: python3 tests/editors/server_test.py FOLDER KOI rules-examples/shop
lsprotocol, which pygls rests on, reads each answer by the types of the protocol: an answer of another
shape is an error here.
"""

import asyncio
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile


def fetch(folder):
    library = folder / "pygls"
    if not library.exists():
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", library, "pygls==2.1.1"],
                       check=True)
    sys.path.insert(0, str(library))


def place(types, text, word, into=0):
    """Where a word stands, in UTF-16 units: counted by Python's own encoder."""
    offset = text.index(word) + into
    line_begin = text.rfind("\n", 0, offset) + 1
    return types.Position(line=text.count("\n", 0, offset),
                          character=len(text[line_begin:offset].encode("utf-16-le")) // 2)


def applied(text, edits):
    lines = text.split("\n")
    starts = [0]
    for line in lines:
        starts.append(starts[-1] + len(line) + 1)

    def offset(at):
        units = lines[at.line].encode("utf-16-le")[: 2 * at.character]
        return starts[at.line] + len(units.decode("utf-16-le"))

    for edit in sorted(edits, key=lambda e: (e.range.start.line, e.range.start.character), reverse=True):
        text = text[: offset(edit.range.start)] + edit.new_text + text[offset(edit.range.end):]
    return text


async def converse(koi, shop, types, client_class):
    folder = pathlib.Path(tempfile.mkdtemp())
    program = folder / "我的 店"  # a blank and Han in every address
    shutil.copytree(shop, program)
    told, changed = {}, asyncio.Event()
    client = client_class("koi-test", "1")

    @client.feature(types.TEXT_DOCUMENT_PUBLISH_DIAGNOSTICS)
    def on_diagnostics(params):
        told[params.uri] = [each.code for each in params.diagnostics]
        changed.set()

    async def diagnostics(uri, wanted):
        async def wait():
            while sorted(set(told.get(uri, ["not told"]))) != wanted:
                changed.clear()
                await changed.wait()
        try:
            await asyncio.wait_for(wait(), 10)
        except asyncio.TimeoutError:
            raise AssertionError(f"{uri}: told {told.get(uri)}, wanted {wanted}")

    await client.start_io(str(koi), "lsp")
    started = await client.initialize_async(types.InitializeParams(
        capabilities=types.ClientCapabilities(), process_id=None, root_uri=folder.as_uri(),
        initialization_options={"language": "en"}))
    assert started.capabilities.rename_provider.prepare_provider
    client.initialized(types.InitializedParams())

    files = {path.name: path for path in program.glob("*.koi")}
    texts = {name: path.read_text(encoding="utf-8") for name, path in files.items()}
    uris = {name: path.as_uri() for name, path in files.items()}
    document = lambda name: types.TextDocumentIdentifier(uri=uris[name])

    def open_(name):
        client.text_document_did_open(types.DidOpenTextDocumentParams(
            types.TextDocumentItem(uri=uris[name], language_id="koi", version=1, text=texts[name])))

    open_("cart.koi")
    await diagnostics(uris["cart.koi"], [])

    # A mistake in a file that is not saved, behind an emoji on its line; then its correction.
    cart = texts["cart.koi"]
    line = cart.index("send cart_nudge via wechat")
    at = place(types, cart, "send cart_nudge via wechat")
    client.text_document_did_change(types.DidChangeTextDocumentParams(
        types.VersionedTextDocumentIdentifier(uri=uris["cart.koi"], version=2),
        [types.TextDocumentContentChangePartial(range=types.Range(at, at), text='send cart_nugde via wechat # 🎉 早\n    ')]))
    texts["cart.koi"] = cart[:line] + 'send cart_nugde via wechat # 🎉 早\n    ' + cart[line:]
    await diagnostics(uris["cart.koi"], ["K0201"])
    wrong = place(types, texts["cart.koi"], "cart_nugde")
    actions = await client.text_document_code_action_async(types.CodeActionParams(
        document("cart.koi"), types.Range(wrong, wrong), types.CodeActionContext(diagnostics=[])))
    assert [action.title for action in actions] == ["change to `cart_nudge`"], actions
    edits = actions[0].edit.changes[uris["cart.koi"]]
    texts["cart.koi"] = applied(texts["cart.koi"], edits)
    assert texts["cart.koi"].count("send cart_nudge via wechat") == 2
    client.text_document_did_change(types.DidChangeTextDocumentParams(
        types.VersionedTextDocumentIdentifier(uri=uris["cart.koi"], version=3),
        [types.TextDocumentContentChangeWholeDocument(text=texts["cart.koi"])]))
    await diagnostics(uris["cart.koi"], [])

    hover = await client.text_document_hover_async(types.HoverParams(
        document("cart.koi"), place(types, texts["cart.koi"], "cart_rescue")))
    assert "hold out 10%" in hover.contents.value, hover
    assert "consent required for marketing  # from the policy" in hover.contents.value, hover
    hover = await client.text_document_hover_async(types.HoverParams(
        document("cart.koi"), place(types, texts["cart.koi"], "cart.price", 6)))
    assert "of type `money`" in hover.contents.value, hover

    # Definition and uses across files, then a new alias everywhere.
    found = await client.text_document_definition_async(types.DefinitionParams(
        document("cart.koi"), place(types, texts["cart.koi"], "purchase")))
    assert [each.uri for each in found] == [uris["shop.koi"]]
    assert found[0].range.start == place(types, texts["shop.koi"], "purchase")
    uses = await client.text_document_references_async(types.ReferenceParams(
        types.ReferenceContext(include_declaration=True), document("cart.koi"),
        place(types, texts["cart.koi"], "purchase")))
    assert {uris["shop.koi"], uris["cart.koi"]} <= {each.uri for each in uses}
    open_("shop.koi")
    renamed = await client.text_document_rename_async(types.RenameParams(
        document("shop.koi"), place(types, texts["shop.koi"], "add_to_cart"), "put_in_cart"))
    for name in files:
        text = applied(texts[name], renamed.changes.get(uris[name], []))
        assert "add_to_cart" not in text.replace("add_to_cart_", ""), name
        (program / name).write_text(text, encoding="utf-8")
    done = subprocess.run([koi, "test", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    listed = await client.text_document_completion_async(types.CompletionParams(
        document("cart.koi"), place(types, texts["cart.koi"], "wechat, else")))
    assert {item.label for item in listed.items} >= {"wechat", "sms", "email"}, listed
    symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(document("cart.koi")))
    assert [each.name for each in symbols][:2] == ["cart_nudge", "cart_rescue"], symbols
    edits = await client.text_document_formatting_async(types.DocumentFormattingParams(
        document("cart.koi"), types.FormattingOptions(tab_size=2, insert_spaces=True)))
    formatted = applied(texts["cart.koi"], edits)
    (folder / "once.koi").write_text(formatted, encoding="utf-8")
    assert subprocess.run([koi, "fmt", "--check", folder / "once.koi"], capture_output=True).returncode == 0

    # Many at once, and a cancellation of what nobody asked.
    client.cancel_request(types.CancelParams(id="nothing"))
    await asyncio.gather(*(client.text_document_document_symbol_async(
        types.DocumentSymbolParams(document("cart.koi"))) for _ in range(20)))

    await client.shutdown_async(None)
    client.exit(None)
    assert await asyncio.wait_for(client._server.wait(), 10) == 0
    shutil.rmtree(folder)


def framed(body):
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def hostile(koi, seed):
    """Bytes that no client sends: the server ends by itself when they end, and never by a signal."""
    chance = random.Random(seed)
    parts = [framed(b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}')]
    pieces = [b"Content-Length: -5\r\n\r\n", b"Content-Length: 99999999999999\r\n\r\n", b"\r\n\r\n", b"{" * 50_000,
              b"Content-Length: 10\r\n\r\n{}", framed(b"\xff\xfe\x00"), framed(b"[" * 20_000), framed(b"null"),
              framed(b'{"jsonrpc":"2.0","id":[],"method":"textDocument/hover","params":[]}'),
              framed(b'{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":1}}'),
              framed(b'{"jsonrpc":"2.0","method":"textDocument/didOpen","params":{"textDocument":{"uri":"a.koi",'
                     b'"version":1,"text":"campaign {{ (((( \\ud83c"}}}'),
              framed(b'{"jsonrpc":"2.0","id":2,"method":"textDocument/completion","params":{"textDocument":'
                     b'{"uri":"a.koi"},"position":{"line":4000000000,"character":4000000000}}}')]
    for _ in range(60):
        piece = chance.choice(pieces)
        if chance.random() < 0.3:
            piece = bytearray(piece)
            piece[chance.randrange(len(piece))] = chance.randrange(256)
        parts.append(bytes(piece))
    done = subprocess.run([koi, "lsp"], input=b"".join(parts), capture_output=True, timeout=60)
    assert done.returncode in (0, 1), (seed, done.returncode, done.stderr[-500:])
    assert done.stdout.startswith(b"Content-Length: "), seed


if __name__ == "__main__":
    here, koi, shop = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    fetch(here)
    from lsprotocol import types
    from pygls.lsp.client import BaseLanguageClient

    asyncio.run(asyncio.wait_for(converse(koi, shop, types, BaseLanguageClient), 120))
    for seed in range(100):
        hostile(koi, seed)
    print("the language server answers pygls, and survives 100 hostile streams")
