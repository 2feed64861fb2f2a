"""The add-in's manifest: what Excel reads to learn where the add-in lives and what it offers."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from addin.icons import SIZES
from udfs.function import NAMESPACE

ADDIN_ID = "e9c2b6a4-7d51-4c0f-9a38-5b1f0d6e82c7"  # Excel knows the add-in by it: never changes
VERSION = "1.0.0.0"
ORIGIN = "https://localhost:8422"  # Office loads add-ins over HTTPS only
CHINESE_LOCALES = ("zh-CN", "zh-TW", "zh-HK")

# Shown by Excel: (English, Chinese).
_NAME = ("Shopsheet", "Shopsheet 电商分析")
_DESCRIPTION = (
    "Reads reviews, questions and posts in spreadsheet formulas. Everything is computed on your "
    "own machine.",
    "用电子表格公式读懂评论、提问和帖子。全部在您自己的电脑上计算。",
)
_SHORT_STRINGS: dict[str, tuple[str, str]] = {
    "Group.Label": ("Shopsheet", "Shopsheet"),
    "Pane.Label": ("Shopsheet", "Shopsheet"),
    "GetStarted.Title": ("Shopsheet is ready", "Shopsheet 已就绪"),
}
_LONG_STRINGS: dict[str, tuple[str, str]] = {
    "Pane.Tooltip": (
        "Shows whether the Shopsheet server answers, and every function with an example.",
        "查看 Shopsheet 服务是否可用，以及每个函数和示例。",
    ),
    "GetStarted.Description": (
        f"Type ={NAMESPACE}. into a cell. The Shopsheet button on the Home tab opens the pane.",
        f"在单元格中输入 ={NAMESPACE}. 即可使用。“开始”选项卡上的 Shopsheet 按钮可打开窗格。",
    ),
}
# Resource ids have at most 32 characters.
_PAGE, _SCRIPT, _METADATA, _NAMESPACE = "Page.Url", "Script.Url", "Metadata.Url", "Namespace"


def manifest(origin: str = ORIGIN) -> str:
    """The add-in-only manifest (XML) for a server reached at `origin`, e.g. https://localhost:8422.

    Excel runs the custom functions in the task pane's runtime, so `Runtime`, `Page` and
    `FunctionFile` name the same resource; Excel does not load the add-in when they differ.
    Raises: ValueError if `origin` is not HTTPS or has a path.
    """
    if not origin.startswith("https://") or origin.count("/") != 2:
        raise ValueError(
            f"The add-in's origin is {origin!r}; expected https://HOST:PORT with nothing after it. "
            "Office loads add-ins over HTTPS only."
        )
    base = f"{origin}/addin"
    return f"""\
<?xml version="1.0" encoding="UTF-8"?>
<!-- Written by `python -m addin.build`. Change addin/office_manifest.py. -->
<OfficeApp xmlns="http://schemas.microsoft.com/office/appforoffice/1.1"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xmlns:bt="http://schemas.microsoft.com/office/officeappbasictypes/1.0"
  xsi:type="TaskPaneApp">
  <Id>{ADDIN_ID}</Id>
  <Version>{VERSION}</Version>
  <ProviderName>Shopsheet</ProviderName>
  <DefaultLocale>en-US</DefaultLocale>
{_localised("DisplayName", _NAME)}
{_localised("Description", _DESCRIPTION)}
  <IconUrl DefaultValue={quoteattr(f"{base}/icon-32.png")}/>
  <HighResolutionIconUrl DefaultValue={quoteattr(f"{base}/icon-64.png")}/>
  <SupportUrl DefaultValue={quoteattr(f"{base}/console.html")}/>
  <AppDomains>
    <AppDomain>{escape(origin)}</AppDomain>
  </AppDomains>
  <Hosts>
    <Host Name="Workbook"/>
  </Hosts>
  <Requirements>
    <Sets DefaultMinVersion="1.1">
      <Set Name="SharedRuntime" MinVersion="1.1"/>
    </Sets>
  </Requirements>
  <DefaultSettings>
    <SourceLocation DefaultValue={quoteattr(f"{base}/taskpane.html")}/>
  </DefaultSettings>
  <Permissions>ReadWriteDocument</Permissions>
  <VersionOverrides xmlns="http://schemas.microsoft.com/office/taskpaneappversionoverrides"
    xsi:type="VersionOverridesV1_0">
    <Hosts>
      <Host xsi:type="Workbook">
        <Runtimes>
          <Runtime resid="{_PAGE}" lifetime="long"/>
        </Runtimes>
        <AllFormFactors>
          <ExtensionPoint xsi:type="CustomFunctions">
            <Script>
              <SourceLocation resid="{_SCRIPT}"/>
            </Script>
            <Page>
              <SourceLocation resid="{_PAGE}"/>
            </Page>
            <Metadata>
              <SourceLocation resid="{_METADATA}"/>
            </Metadata>
            <Namespace resid="{_NAMESPACE}"/>
          </ExtensionPoint>
        </AllFormFactors>
        <DesktopFormFactor>
          <GetStarted>
            <Title resid="GetStarted.Title"/>
            <Description resid="GetStarted.Description"/>
            <LearnMoreUrl resid="LearnMore.Url"/>
          </GetStarted>
          <FunctionFile resid="{_PAGE}"/>
          <ExtensionPoint xsi:type="PrimaryCommandSurface">
            <OfficeTab id="TabHome">
              <Group id="Shopsheet.Group">
                <Label resid="Group.Label"/>
                <Icon>
{_icons(18)}
                </Icon>
                <Control xsi:type="Button" id="Shopsheet.Pane">
                  <Label resid="Pane.Label"/>
                  <Supertip>
                    <Title resid="Pane.Label"/>
                    <Description resid="Pane.Tooltip"/>
                  </Supertip>
                  <Icon>
{_icons(20)}
                  </Icon>
                  <Action xsi:type="ShowTaskpane">
                    <TaskpaneId>Shopsheet.Pane</TaskpaneId>
                    <SourceLocation resid="{_PAGE}"/>
                  </Action>
                </Control>
              </Group>
            </OfficeTab>
          </ExtensionPoint>
        </DesktopFormFactor>
      </Host>
    </Hosts>
    <Resources>
      <bt:Images>
{_image_resources(base)}
      </bt:Images>
      <bt:Urls>
{_resource("Url", _PAGE, f"{base}/taskpane.html")}
{_resource("Url", _SCRIPT, f"{base}/functions.js")}
{_resource("Url", _METADATA, f"{base}/functions.json", f"{base}/functions.zh.json")}
{_resource("Url", "LearnMore.Url", f"{base}/console.html")}
      </bt:Urls>
      <bt:ShortStrings>
{_resource("String", _NAMESPACE, NAMESPACE)}
{_strings(_SHORT_STRINGS)}
      </bt:ShortStrings>
      <bt:LongStrings>
{_strings(_LONG_STRINGS)}
      </bt:LongStrings>
    </Resources>
  </VersionOverrides>
</OfficeApp>
"""


def _localised(element: str, texts: tuple[str, str]) -> str:
    overrides = "".join(
        f"    <Override Locale={quoteattr(locale)} Value={quoteattr(texts[1])}/>\n"
        for locale in CHINESE_LOCALES
    )
    return f"  <{element} DefaultValue={quoteattr(texts[0])}>\n{overrides}  </{element}>"


def _resource(kind: str, resid: str, english: str, chinese: str | None = None) -> str:
    opening = f'        <bt:{kind} id="{resid}" DefaultValue={quoteattr(english)}'
    if chinese is None or chinese == english:
        return f"{opening}/>"
    overrides = "".join(
        f"          <bt:Override Locale={quoteattr(locale)} Value={quoteattr(chinese)}/>\n"
        for locale in CHINESE_LOCALES
    )
    return f"{opening}>\n{overrides}        </bt:{kind}>"


def _strings(texts: dict[str, tuple[str, str]]) -> str:
    return "\n".join(_resource("String", resid, *pair) for resid, pair in texts.items())


def _icons(indent: int) -> str:
    return "\n".join(
        f'{" " * indent}<bt:Image size="{size}" resid="Icon.{size}"/>' for size in SIZES
    )


def _image_resources(base: str) -> str:
    return "\n".join(
        _resource("Image", f"Icon.{size}", f"{base}/icon-{size}.png") for size in SIZES
    )
