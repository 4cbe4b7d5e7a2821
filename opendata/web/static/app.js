// Progressive enhancement only: every page works without this file.
const version = new URL(import.meta.url).search;
import("./vendor/govuk-frontend.min.js" + version).then(({ initAll }) => initAll()).catch(() => {});

// Copy buttons beside commands.
for (const box of document.querySelectorAll("[data-copy]")) {
  const button = box.querySelector("[data-copy-button]");
  if (!button || !navigator.clipboard) continue;
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(box.querySelector("pre").textContent);
    button.textContent = button.dataset.done;
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}

// Uploads with a progress bar; without JavaScript the form is sent as it is.
for (const form of document.querySelectorAll("form[data-upload]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const bar = form.querySelector("progress");
    const status = form.querySelector("[data-upload-status]");
    const button = form.querySelector("button[type=submit]");
    const request = new XMLHttpRequest();
    button.disabled = true;
    bar.hidden = false;
    request.upload.addEventListener("progress", (step) => {
      if (!step.lengthComputable) return;
      bar.value = step.loaded / step.total * 100;
      status.textContent = Math.floor(bar.value) + " %";
    });
    request.addEventListener("load", () => {
      if (request.status < 400 && request.responseURL) { location.href = request.responseURL; return; }
      document.open(); document.write(request.responseText); document.close();
    });
    request.addEventListener("error", () => { button.disabled = false; status.textContent = form.dataset.failed; });
    request.open("POST", form.action);
    request.send(new FormData(form));
  });
}

// A one-time sign-in link: the page is spent by POST; with JavaScript that happens at once.
document.querySelector("form[data-send-now]")?.requestSubmit();
