"""Generates the derived files of the LibreOffice add-in and packs its extension (.oxt)."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from addin.chinese import chinese
from udfs.catalogue import FUNCTIONS
from udfs.function import NAMESPACE, Arg, Function
from udfs.kinds import Choice, Dates, Day, Kind, Name, Texts, WordList

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path("addin/libreoffice")
GENERATED = FOLDER / "extension"  # becomes the root of the .oxt

IDENTIFIER = "org.shopsheet.calc"  # LibreOffice knows the extension by it: never changes
VERSION = "1.0.0"
OLDEST_LIBREOFFICE = "7.4"
COMPONENT = "shopsheet_component.py"
PACKAGE = "shopsheet_calc"  # the modules below, under a name that no other extension has
MODULES = {
    "bridge.py": FOLDER / "bridge.py",
    "neighbours.py": FOLDER / "neighbours.py",
    "errors.py": Path("udfs/errors.py"),
    "transport.py": Path("udfs/transport.py"),
}
# An empty cell that is referred to alone comes as 0; these kinds have no use for a number 0.
TEXT_KINDS: tuple[type[Kind], ...] = (Texts, Choice, WordList, Dates, Day, Name)  # no date is day 0

# Shown by LibreOffice's extension manager.
_ABOUT = {
    "en": "Reads reviews, questions and posts in Calc formulas. Everything is computed on your "
    "own machine: start the server with `shopsheet serve`.",
    "zh-CN": "用 Calc 公式读懂评论、提问和帖子。全部在您自己的电脑上计算："
    "请用 `shopsheet serve` 启动服务。",
}
_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NOTE = "<!-- Written by `python -m addin.build`. Change addin/build_libreoffice.py. -->\n"
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


def generated_files() -> dict[Path, str | bytes]:
    """Content of every generated file of the add-in, by its path from the repository root."""
    return {
        GENERATED / "META-INF" / "manifest.xml": _manifest(),
        GENERATED / "description.xml": _description(),
        GENERATED / "CalcAddIns.xcu": calc_addins(),
        GENERATED / "shopsheet.idl": interface(),
        GENERATED / "functions.json": json.dumps(_functions(), indent=2) + "\n",
        **{GENERATED / f"about_{lang}.txt": text + "\n" for lang, text in _ABOUT.items()},
    }


def pack(url: str | None = None, home: Path | None = None) -> bytes:
    """The extension as a .oxt file; the same arguments give the same bytes.

    `url` is the server that formulas call when SHOPSHEET_URL is not set, `home` the folder with
    its token when SHOPSHEET_HOME is not set; without them the usual ones of the system.
    """
    settings = {"url": url, "home": None if home is None else str(home)}
    members: dict[str, bytes] = {
        path.relative_to(GENERATED).as_posix(): _bytes(content)
        for path, content in generated_files().items()
    }
    members["settings.json"] = _bytes(json.dumps(settings, indent=2) + "\n")
    members[COMPONENT] = _module(FOLDER / "component.py")
    members[f"pythonpath/{PACKAGE}/__init__.py"] = b""
    for name, path in MODULES.items():
        members[f"pythonpath/{PACKAGE}/{name}"] = _module(path)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as oxt:
        for name in sorted(members):
            # Stored, not deflated: what zlib writes differs from version to version.
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.create_system = 3
            info.external_attr = 0o644 << 16
            oxt.writestr(info, members[name])
    return packed.getvalue()


def interface() -> str:
    """The type library: the interface with one method per function, in UNOIDL.

    An argument that may be left out must be `any`. Methods in capitals, for only those may have an
    underscore; arguments without underscores for the same reason.
    Source: the lexer in LibreOffice's unoidl/source/sourceprovider-scanner.l.
    """
    methods = "\n".join(f"    {_method(function)}" for function in FUNCTIONS.values())
    return f"""\
// Written by `python -m addin.build`. Change addin/build_libreoffice.py.
module org {{ module shopsheet {{ module calc {{
interface XShop: com::sun::star::uno::XInterface {{
{methods}
}};
}}; }}; }};
"""


def parameter_name(arg: Arg) -> str:
    """The name of an argument in UNOIDL: min_confidence is minConfidence."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), arg.name)


def calc_addins() -> str:
    """What Calc shows in the function wizard: names and help, in English and Chinese."""
    functions = "\n".join(_function_node(function) for function in FUNCTIONS.values())
    return f"""\
{_XML}{_NOTE}<oor:component-data xmlns:oor="http://openoffice.org/2001/registry"
  xmlns:xs="http://www.w3.org/2001/XMLSchema"
  oor:package="org.openoffice.Office" oor:name="CalcAddIns">
  <node oor:name="AddInInfo">
    <node oor:name={quoteattr(NAMESPACE)} oor:op="replace">
      <node oor:name="AddInFunctions">
{functions}
      </node>
    </node>
  </node>
</oor:component-data>
"""


def _functions() -> dict[str, list[dict[str, object]]]:
    """What the component must know: per function and argument, whether a 0 is an empty cell."""
    return {
        function.name: [
            {"name": arg.name, "zero_is_empty": isinstance(arg.kind, TEXT_KINDS)}
            for arg in function.args
        ]
        for function in FUNCTIONS.values()
    }


def _method(function: Function) -> str:
    # Calc itself fills in an argument of this type: the document that the formula stands in.
    document = "[in] com::sun::star::beans::XPropertySet document"
    visible = (f"[in] {_type(arg)} {parameter_name(arg)}" for arg in function.args)
    args = ", ".join([document, *visible])
    return f"any {function.name}({args});"


def _type(arg: Arg) -> str:
    # The space between the brackets is needed: ">>" is one symbol to the parser.
    return "sequence< sequence<any> >" if arg.required and arg.kind.takes_range else "any"


def _function_node(function: Function) -> str:
    help_zh = f"{chinese(function.summary)}{chinese(function.returns)}"
    parameters = "\n".join(_parameter_node(arg) for arg in function.args)
    name = escape(function.dotted)
    return f"""\
        <node oor:name={quoteattr(function.name)} oor:op="replace">
          <prop oor:name="DisplayName"><value xml:lang="en">{name}</value></prop>
          <prop oor:name="CompatibilityName"><value xml:lang="en">{name}</value></prop>
          <prop oor:name="Category"><value>Add-In</value></prop>
          <prop oor:name="Description">
            <value xml:lang="en">{escape(function.help())}</value>
            <value xml:lang="zh-CN">{escape(help_zh)}</value>
          </prop>
          <node oor:name="Parameters">
{parameters}
          </node>
        </node>"""


def _parameter_node(arg: Arg) -> str:
    name = escape(arg.name)
    return f"""\
            <node oor:name={quoteattr(parameter_name(arg))} oor:op="replace">
              <prop oor:name="DisplayName"><value xml:lang="en">{name}</value></prop>
              <prop oor:name="Description">
                <value xml:lang="en">{escape(arg.help)}</value>
                <value xml:lang="zh-CN">{escape(chinese(arg.help))}</value>
              </prop>
            </node>"""


def _manifest() -> str:
    entries = {
        "shopsheet.idl": "application/vnd.sun.star.uno-typelibrary;type=RDB",
        COMPONENT: "application/vnd.sun.star.uno-component;type=Python",
        "CalcAddIns.xcu": "application/vnd.sun.star.configuration-data",
    }
    lines = "\n".join(
        f'  <manifest:file-entry manifest:media-type="{kind}" manifest:full-path="{path}"/>'
        for path, kind in entries.items()
    )
    return f"""\
{_XML}{_NOTE}<manifest:manifest xmlns:manifest="http://openoffice.org/2001/manifest">
{lines}
</manifest:manifest>
"""


def _description() -> str:
    about = "\n".join(f'    <src lang="{lang}" xlink:href="about_{lang}.txt"/>' for lang in _ABOUT)
    return f"""\
{_XML}{_NOTE}<description xmlns="http://openoffice.org/extensions/description/2006"
  xmlns:lo="http://libreoffice.org/extensions/description/2011"
  xmlns:xlink="http://www.w3.org/1999/xlink">
  <identifier value="{IDENTIFIER}"/>
  <version value="{VERSION}"/>
  <dependencies>
    <lo:LibreOffice-minimal-version value="{OLDEST_LIBREOFFICE}" name="LibreOffice \
{OLDEST_LIBREOFFICE}"/>
  </dependencies>
  <display-name>
    <name lang="en">Shopsheet</name>
    <name lang="zh-CN">Shopsheet 电商分析</name>
  </display-name>
  <extension-description>
{about}
  </extension-description>
</description>
"""


def _module(path: Path) -> bytes:
    """A module of ours as it stands in the extension: its imports name the package there."""
    text = (ROOT / path).read_text(encoding="utf-8")
    pattern = r"^(\s*)from (?:udfs|addin\.libreoffice)\.(\w+) import"
    return _bytes(re.sub(pattern, rf"\1from {PACKAGE}.\2 import", text, flags=re.MULTILINE))


def _bytes(content: str | bytes) -> bytes:
    return content.encode("utf-8") if isinstance(content, str) else content
