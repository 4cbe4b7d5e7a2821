// Runs before the page is drawn: components that need JavaScript show themselves only when it is there.
document.documentElement.classList.add("js");
document.addEventListener("DOMContentLoaded", () => {
  document.body.classList.add("js-enabled");
  if ("noModule" in HTMLScriptElement.prototype) document.body.classList.add("govuk-frontend-supported");
});
