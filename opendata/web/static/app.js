// Progressive enhancement only: every page works without this file.
const version = new URL(import.meta.url).search;
import("./vendor/govuk-frontend.min.js" + version).then(({ initAll }) => initAll()).catch(() => {});

// One live region says what changed without a new page, once each.
const said = document.getElementById("said");
const say = (words) => { if (said && said.textContent !== words) said.textContent = words; };
const replace = (html) => { document.open(); document.write(html); document.close(); };

// On an English page, what is written in Chinese says so: screen readers change the voice, browsers the glyphs.
const HAN = /\p{Script=Han}/u;
const KEPT = "[lang]:not(html), script, style, textarea, svg, title";
function markChinese(root) {
  if (document.documentElement.lang !== "en") return;
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) if (HAN.test(walker.currentNode.data)) found.push(walker.currentNode);
  for (const text of found) {
    const parent = text.parentElement;
    if (!parent || parent.closest(KEPT)) continue;
    if (parent.childNodes.length === 1) { parent.lang = "zh-CN"; continue; }
    if (parent.matches(".meta, option, select")) continue;
    const span = document.createElement("span");
    span.lang = "zh-CN";
    text.replaceWith(span);
    span.append(text);
  }
}
markChinese(document.body);

// An act that was refused, without a field to name: its reason takes the focus, as an error summary does.
if (!document.querySelector(".govuk-error-summary")) document.querySelector("[data-take-focus]")?.focus();

// Parts that renew themselves say what is new; forms that are answered in place lead to the answer.
document.addEventListener("htmx:load", ({ detail: { elt: part } }) => {
  if (part === document.body) return;
  markChinese(part);
  if (part.dataset.say) say(part.dataset.say);
  part.querySelector("[data-take-focus], .govuk-form-group--error :is(input, select, textarea)")?.focus();
});
document.addEventListener("htmx:responseError", ({ detail }) => {
  if (detail.elt.matches("form")) replace(detail.xhr.responseText);
});

// What is folded is printed too.
const opened = [];
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not([open])")) { each.open = true; opened.push(each); }
});
addEventListener("afterprint", () => { while (opened.length) opened.pop().open = false; });

// Copy buttons beside commands.
for (const box of document.querySelectorAll("[data-copy]")) {
  const button = box.querySelector("[data-copy-button]");
  if (!button || !navigator.clipboard) continue;
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("pre").textContent);
    button.textContent = button.dataset.done;
    say(button.dataset.done);
    setTimeout(() => { button.textContent = words; say(""); }, 2000);
  });
}

// Uploads with a progress bar, which can be stopped; without JavaScript the form is sent as it is.
for (const form of document.querySelectorAll("form[data-upload]")) {
  const place = form.querySelector("[data-upload-progress]");
  const bar = place.querySelector("progress");
  const status = place.querySelector("[data-upload-status]");
  const stop = place.querySelector("[data-upload-stop]");
  const button = form.querySelector("button[type=submit]");
  let request = null;
  const end = (words) => {
    if (document.activeElement === stop) button.focus();
    request = null;
    bar.hidden = stop.hidden = true;
    button.removeAttribute("aria-disabled");
    status.textContent = words;
    say(words);
  };
  stop.addEventListener("click", () => request?.abort());
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (request) return;
    request = new XMLHttpRequest();
    button.setAttribute("aria-disabled", "true");
    place.hidden = bar.hidden = stop.hidden = false;
    request.upload.addEventListener("progress", (step) => {
      if (!step.lengthComputable) return;
      bar.value = step.loaded / step.total * 100;
      status.textContent = Math.floor(bar.value) + " %";
      say(Math.floor(bar.value / 25) * 25 + " %");
    });
    request.addEventListener("load", ({ target }) => {
      if (target.status < 400 && target.responseURL) { location.href = target.responseURL; return; }
      replace(target.responseText);
    });
    request.addEventListener("error", () => end(place.dataset.failed));
    request.addEventListener("abort", () => end(place.dataset.stopped));
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
}

// A one-time sign-in link: the page is spent by POST; with JavaScript that happens at once.
document.querySelector("form[data-send-now]")?.requestSubmit();
