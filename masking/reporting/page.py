"""The frame of a page that needs nothing else: its policy for browsers (``default-src 'none'``), style and head."""

from masking.reporting.words import Language


def document(name: str, what: str, about: str, body: str, lang: Language, link: str = "") -> str:
    """A whole page: its ``name`` with ``what`` it is, a line ``about`` it, and its ``body``; all of them markup."""
    return (
        f'<!doctype html>\n<html lang="{"en" if lang == "en" else "zh-CN"}"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{name} · {what}</title><style>{_STYLE}</style></head><body><header>{link}"
        f"<h1>{name}</h1><p>{about}</p></header><main>{body}</main></body></html>\n"
    )


_STYLE = (
    "html{font:16px/1.55 system-ui,'PingFang SC','Noto Sans CJK SC','Microsoft YaHei',sans-serif;color:#1a1a1a;"
    "background:#fff}body{margin:0 auto;max-width:70rem;padding:1rem 1.25rem 3rem}"
    "h1{font-size:1.7rem;line-height:1.25;margin:.6rem 0 0}h2{font-size:1.25rem;margin:2.2rem 0 .6rem;"
    "border-bottom:2px solid #1a1a1a;padding-bottom:.2rem}h3{font-size:1rem;margin:0 0 .4rem}"
    "header p{margin:.2rem 0;color:#444}header a{display:inline-block;min-height:1.5rem}"
    "code{font:.875em ui-monospace,monospace;overflow-wrap:anywhere}"
    ".facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(16rem,1fr));gap:.8rem 1.5rem;margin:0}"
    ".facts dt{color:#555;font-size:.875rem}.facts dd{margin:0;font-weight:600}"
    "table{border-collapse:collapse;width:100%;font-size:.875rem}caption{text-align:left;color:#555;padding:.3rem 0}"
    "th,td{text-align:left;vertical-align:top;padding:.4rem .6rem .4rem 0;border-bottom:1px solid #d0d0d0}"
    "thead th{border-bottom:2px solid #888}tbody th{font-weight:600}"
    ".numbers td,.numbers thead th:not(:first-child){text-align:right;font-variant-numeric:tabular-nums;"
    "white-space:nowrap}"
    ".pair{display:grid;grid-template-columns:minmax(0,3fr) minmax(0,2fr);gap:1rem 2.5rem;align-items:start}"
    ".plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(17rem,26rem));gap:1rem 2.5rem}"
    "article{margin:1.2rem 0 1.8rem;break-inside:avoid}figure{margin:0;min-width:0;break-inside:avoid}"
    "svg{width:100%;max-width:28rem;height:auto;display:block;font-size:11px;fill:currentColor}"
    "svg.wide{max-width:44rem}"
    "figcaption{font-size:.8125rem;color:#444}summary{cursor:pointer;font-size:.8125rem;padding:.2rem 0}"
    ".settings{color:#444;overflow-wrap:anywhere}.mark{color:#555;font-weight:400}"
    ".bar{display:inline-block;width:4rem;height:.6rem;background:#e4e4e4;vertical-align:baseline}"
    ".bar span{display:block;height:100%;background:#0072b2}"
    ".warning{border:3px solid #b00020;padding:.6rem .8rem}"
    "@media(max-width:44rem){.pair{grid-template-columns:minmax(0,1fr)}"
    ".stacked thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}"
    ".stacked tr,.stacked tbody,.stacked th,.stacked td,.stacked caption,.stacked{display:block}"
    ".stacked tr{padding:.6rem 0;border-bottom:1px solid #888}.stacked th,.stacked td{border:0;padding:.1rem 0}"
    ".stacked td::before{content:attr(data-head) '：';color:#555}"
    "[lang=en] .stacked td::before{content:attr(data-head) ': '}}"
    "@media print{html{font-size:11pt}body{max-width:none;padding:0}details{display:none}"
    ".bar,svg,.bar span{print-color-adjust:exact;-webkit-print-color-adjust:exact}}"
)
