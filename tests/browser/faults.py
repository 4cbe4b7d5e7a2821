"""What stops a person with a keyboard, a screen reader or a telephone on a page that is open in a browser.

axe-core asks most of it, of every impact; ``BESIDES`` asks what axe leaves to people: one first heading, headings in
order, tables that are named and whose heads say what they head, places to touch of 24 px, references that lead
somewhere, nothing wider than the page. ``STOPS`` walks over what takes the focus and looks whether it shows.

Source: WCAG 2.2 level AA; GB/T 37668-2019.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from tests.browser.conftest import AXE

VIOLATIONS = """
async () => (await axe.run(document, {resultTypes: ["violations"]})).violations
  .map((each) => each.id + ": " + each.nodes.map((node) => node.target.join(" ")).slice(0, 3).join(" | "))
"""
BESIDES = """
() => {
  const found = [], all = (selector) => [...document.querySelectorAll(selector)];
  const say = (what, each) => found.push(
    what + ": " + each.tagName.toLowerCase() + " " + (each.id || each.textContent.trim().slice(0, 30)));
  const shown = (each) => {
    const box = each.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && each.checkVisibility({visibilityProperty: true});
  };
  const heads = all("h1, h2, h3, h4, h5, h6").filter(shown);
  if (heads.filter((each) => each.tagName === "H1").length !== 1) found.push("not one h1");
  heads.reduce((last, each) => {
    if (last && Number(each.tagName[1]) > last + 1) say("heading left out", each);
    return Number(each.tagName[1]);
  }, 0);
  for (const table of all("table").filter(shown)) {
    const named = "[role=region][aria-label], [role=region][aria-labelledby]";
    if (!table.caption && !table.hasAttribute("aria-label") && !table.closest(named)) say("nameless table", table);
    if (!table.querySelector("th")) say("table without heads", table);
  }
  for (const head of all("th").filter(shown)) if (!head.scope || !head.textContent.trim()) say("vague head", head);
  for (const each of all("progress, meter, svg[role=img]").filter(shown)) {
    if (!each.ariaLabel && !each.getAttribute("aria-labelledby") && !each.querySelector("title")) say("nameless", each);
  }
  for (const each of all("a[href], button, summary, select, textarea, input:not([type=hidden])").filter(shown)) {
    const box = each.getBoundingClientRect(), beside = [...each.parentElement.childNodes];
    const inText = getComputedStyle(each).display === "inline"
      && beside.some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const small = Math.round(box.width) < 24 || Math.round(box.height) < 24;
    if (small && !inText && !each.matches(".govuk-skip-link:not(:focus)")) say("small", each);
  }
  for (const name of ["aria-describedby", "aria-labelledby", "for"]) {
    for (const each of all("[" + name + "]")) {
      const lost = each.getAttribute(name).split(/\\s+/).filter((id) => id && !document.getElementById(id));
      if (lost.length) say(name + " leads nowhere, " + lost, each);
    }
  }
  for (const each of all('a[href^="#"]')) {
    if (each.hash && !document.getElementById(decodeURIComponent(each.hash.slice(1)))) say("broken anchor", each);
  }
  if (document.documentElement.lang === "en") {
    for (const each of all("main *").filter(shown)) {
      const own = [...each.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data);
      if (/\\p{Script=Han}/u.test(own.join("")) && !each.closest("[lang^=zh], textarea, select, svg")) {
        say("Chinese that does not say so", each);
      }
    }
  }
  const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (over > 0) found.push("wider than the page by " + over + " px");
  return found;
}
"""
STOPS = """
() => {
  const stops = [...document.querySelectorAll(
    "a[href], button, summary, select, textarea, input:not([type=hidden]), [tabindex='0']")].filter((each) => {
      const box = each.getBoundingClientRect();
      return box.width > 0 && box.height > 0 && !each.disabled && each.checkVisibility({visibilityProperty: true});
    });
  const looks = (each) => ["", "::before", "::after"].map((part) => {
    const style = getComputedStyle(part ? each.labels?.[0] ?? each : each, part || undefined);
    const outline = style.outlineStyle === "none" ? "" : style.outlineWidth + style.outlineColor;
    return [outline, style.boxShadow, style.backgroundColor, style.borderColor].join();
  }).join();
  document.activeElement.blur();
  const unseen = [], before = stops.map(looks);
  for (const [place, each] of stops.entries()) {
    each.focus({preventScroll: true});
    if (document.activeElement !== each || looks(each) === before[place]) {
      unseen.push("focus does not show: " + each.tagName + " " + (each.id || each.textContent.trim().slice(0, 30)));
    }
  }
  return unseen;
}
"""


@cache
def axe() -> str:
    """The text of axe-core, to be evaluated in a page."""
    return AXE.read_text("utf-8") + "; undefined"


def faults(page: Any) -> list[str]:
    """What is wrong with the page as it stands, one line each."""
    page.evaluate(axe())
    return [*page.evaluate(VIOLATIONS), *faults_besides(page)]


def faults_besides(page: Any) -> list[str]:
    """The same without axe-core, which takes a second and asks what does not change with language or width."""
    return list(page.evaluate(BESIDES))


def unseen_stops(page: Any) -> list[str]:
    """What can take the focus and does not show that it has it; a key first, so that the browser shows focus at all."""
    page.keyboard.press("Tab")
    return list(page.evaluate(STOPS))
