"""The extension becomes a package that Visual Studio Code can install, made by its own tool (from npm).

By hand: python3 tests/editors/package_test.py FOLDER docs/editors/vscode
"""

import json
import pathlib
import shutil
import subprocess
import sys
import zipfile


def main(folder, extension):
    shutil.rmtree(folder / "extension", ignore_errors=True)
    shutil.copytree(extension, folder / "extension")
    if not (folder / "node_modules").exists():
        (folder / "package.json").write_text('{"private": true}')
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "@vscode/vsce@3.2.2"], cwd=folder, check=True)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--no-package-lock"], cwd=folder / "extension", check=True)
    package = folder / "koi.vsix"
    subprocess.run([folder / "node_modules" / ".bin" / "vsce", "package", "--allow-missing-repository", "--skip-license", "--out", package],
                   cwd=folder / "extension", check=True, capture_output=True)
    with zipfile.ZipFile(package) as packed:
        names = set(packed.namelist())
        manifest = json.loads(packed.read("extension/package.json"))
        grammar = packed.read("extension/syntaxes/koi.tmLanguage.json")
    assert "extension/extension.js" in names and "extension/language-configuration.json" in names, names
    assert "extension/" + manifest["contributes"]["grammars"][0]["path"][2:] in names, names
    assert grammar == (extension / "syntaxes" / "koi.tmLanguage.json").read_bytes()
    client = next(name for name in manifest["dependencies"])
    assert any(name.startswith(f"extension/node_modules/{client}/") for name in names), "the client is not packed"
    print("the package has what it needs")


if __name__ == "__main__":
    made = pathlib.Path(sys.argv[1]) / "package"
    made.mkdir(parents=True, exist_ok=True)
    main(made.resolve(), pathlib.Path(sys.argv[2]).resolve())
