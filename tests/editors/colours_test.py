"""The TextMate grammar, read by vscode-textmate, with which Visual Studio Code colours (from npm).

By hand: python3 tests/editors/colours_test.py FOLDER docs/editors/vscode
"""

import json
import pathlib
import subprocess
import sys

SCRIPT = """
const fs = require('fs');
const onig = require('vscode-oniguruma');
const { Registry, INITIAL } = require('vscode-textmate');
const wasm = fs.readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'));
onig.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.length)).then(async () => {
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (patterns) => new onig.OnigScanner(patterns),
      createOnigString: (text) => new onig.OnigString(text),
    }),
    loadGrammar: async () => JSON.parse(fs.readFileSync(process.argv[2], 'utf8')),
  });
  const grammar = await registry.loadGrammar('source.koi');
  const out = [];
  let state = INITIAL;
  for (const line of fs.readFileSync(0, 'utf8').split('\\n')) {
    const found = grammar.tokenizeLine(line, state);
    state = found.ruleStack;
    out.push(found.tokens.map((t) => [line.slice(t.startIndex, t.endIndex), t.scopes[t.scopes.length - 1]]));
  }
  console.log(JSON.stringify(out));
});
"""

# A line, and what some of its words are coloured as (None: as nothing).
LINES = [
    ("campaign rescue \"召回\" { # 🎉 note", {"campaign": "keyword.declaration", "rescue": None, "# 🎉 note": "comment.line"}),
    ("  when add_to_cart as cart and no purchase within 30 minutes",
     {"when": "keyword.control", "add_to_cart": None, "30": "constant.numeric"}),
    ("  time since last purchase >= 14天内", {"time since last": "keyword.other", "purchase": None, "14": "constant.numeric"}),
    ("  当 购买 记作 单 其中 金额 >= 200元", {"当": "keyword.control", "购买": None, "200元": "constant.numeric"}),
    ("  发送 谢谢 通过 sms", {"发送": "keyword.control", "谢谢": None}),
    ("  `send` send.class 当购买", {"`send`": "variable.other.quoted", "当购买": None}),
    ("  body \"hi {customer.name or \"you\"} {{x}}\"", {"or": "keyword.operator.word", "{{": "constant.character.escape"}),
    ("  at 2026-03-02 10:00 expect send x to ann", {"2026-03-02 10:00": "constant.numeric.instant", "expect": "keyword.other"}),
    ("  name: text?  n: int = 0  on register", {"text": "support.type", "int": "support.type"}),
]


def main(folder, extension):
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "node_modules").exists():
        (folder / "package.json").write_text('{"private": true}')
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "vscode-textmate@9.3.2", "vscode-oniguruma@2.0.1"],
                       cwd=folder, check=True)
    (folder / "colours.js").write_text(SCRIPT)
    done = subprocess.run(["node", "colours.js", extension / "syntaxes" / "koi.tmLanguage.json"], cwd=folder, check=True,
                          input="\n".join(line for line, _ in LINES), capture_output=True, text=True)
    for (line, wanted), tokens in zip(LINES, json.loads(done.stdout), strict=True):
        for word, scope in wanted.items():
            if scope is None:
                around = [found for text, found in tokens if word in text]
                assert around and all(found == "source.koi" for found in around), (line, word, tokens)
            else:
                assert any(text.strip() == word and found.startswith(scope) for text, found in tokens), (line, word, tokens)
    print("the colours are those of the words")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]) / "colours", pathlib.Path(sys.argv[2]).resolve())
