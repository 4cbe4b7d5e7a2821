// What a session's end means for the person, as a bar at the foot of JupyterLab, Chinese first.
// JupyterLab's own notifications are fetched from the session when first shown: too late for one that is gone.
// `told` comes before this file: {before, endsAt, expiresAt, warnMinutes, saveSeconds}; moments are seconds since 1970.
(function () {
  "use strict";
  const config = JSON.parse(document.getElementById("jupyter-config-data").textContent);
  const ping = config.baseUrl + "api";
  const hubHome = (config.hubHost || "") + (config.hubPrefix || "/hub/") + "home";
  const LOOK_MS = 15000;
  const PATIENCE_MS = 12000;
  const BACK_MS = 30000;
  const COLOURS = { bad: "#912b1d", warning: "#7a4b00", info: "#144e81", good: "#00582f" };
  const TEXTS = {
    away: [
      "bad",
      "会话暂时没有回应，服务可能正在重新启动。未保存的改动还在本页：请不要关闭或刷新。",
      "The session does not answer now; the service may be restarting. Unsaved changes are still in this page: do not close or reload it."
    ],
    ended: [
      "bad",
      "会话已结束，已保存的文件都在。未保存的改动还在本页：请不要关闭或刷新；在沙箱页面看原因、重新启动会话，再回到这里保存。",
      "The session has ended; saved files are kept. Unsaved changes are still in this page: do not close or reload it. See why and start the session in the sandbox's page, then come back and save."
    ],
    still: [
      "info",
      "会话没有回应，可能正静止：密封作业运行期间会话静止，到固定时刻自动继续，什么都不会丢。",
      "The session does not answer; it may be standing still while a sealed job runs. It goes on by itself at a fixed moment, and nothing is lost."
    ],
    back: [
      "good",
      "会话可以使用。JupyterLab 若仍提示“服务器不可用”，请选“忽略”；请保存未保存的改动。",
      "The session answers. If JupyterLab still says that the server is unavailable, choose Dismiss; save what is not saved."
    ]
  };
  let skew = 0;
  let shown = "";
  let doubts = 0;
  let lost = false;
  let hooked = false;
  let saved = false;
  const warned = new Set();
  const bars = new Map();

  function element(name, style, text, language) {
    const made = document.createElement(name);
    made.style.cssText = style;
    if (text) made.textContent = text;
    if (language) made.lang = language;
    return made;
  }

  function close(kind) {
    if (bars.has(kind)) bars.get(kind).remove();
    bars.delete(kind);
  }

  // One bar for each kind: what is shown later takes the place of what was shown before.
  function say(kind, tone, zh, en, link, closed) {
    close(kind);
    const bar = element("div", "display:flex;gap:16px;align-items:flex-start;border-top:1px solid #fff;padding:10px 16px;color:#fff;" +
      "font:14px/1.45 system-ui,'PingFang SC','Microsoft YaHei','Noto Sans CJK SC',sans-serif;background:" + COLOURS[tone]);
    bar.setAttribute("role", tone === "bad" || tone === "warning" ? "alert" : "status");
    bar.dataset.notice = kind;
    const words = element("div", "flex:1");
    words.append(element("div", "", zh, "zh-CN"), element("div", "opacity:.92", en, "en"));
    bar.append(words);
    if (link) {
      const anchor = element("a", "color:#fff;font-weight:600;white-space:nowrap", "沙箱页面 Sandbox");
      anchor.href = hubHome;
      anchor.target = "_blank";
      anchor.rel = "noopener";
      bar.append(anchor);
    }
    const button = element("button", "border:0;background:none;color:#fff;font-size:18px;cursor:pointer", "×");
    button.setAttribute("aria-label", "关闭 Close");
    button.addEventListener("click", () => {
      close(kind);
      if (closed) closed();
    });
    bar.append(button);
    place().append(bar);
    bars.set(kind, bar);
  }

  function place() {
    let found = document.getElementById("sandbox-notices");
    if (!found) {
      found = element("div", "position:fixed;inset:auto 0 0 0;z-index:10001");
      found.id = "sandbox-notices";
      document.body.append(found);
    }
    return found;
  }

  // What the address of the session answers now: for one that is gone the hub answers, by leading elsewhere.
  async function look() {
    try {
      const options = { cache: "no-store", redirect: "manual", signal: AbortSignal.timeout(PATIENCE_MS) };
      const answer = await fetch(ping, options);
      const date = Date.parse(answer.headers.get("date") || "");
      if (answer.ok && date) skew = date - Date.now();
      if (answer.ok) return "well";
      return answer.type === "opaqueredirect" || answer.status === 424 ? "ended" : "away";
    } catch (error) {
      return error.name === "TimeoutError" ? "still" : "away";
    }
  }

  async function follow() {
    const state = await look();
    doubts = state === "well" ? 0 : doubts + 1;
    if (state === "well") {
      if (shown || lost) {
        say("life", ...TEXTS.back);
        setTimeout(() => { if (!shown) close("life"); }, BACK_MS);
      }
      shown = "";
      lost = false;
    } else if ((state === "ended" || doubts > 1) && state !== shown) {
      shown = state;
      say("life", ...TEXTS[state], state === "ended");
    }
  }

  const minutesLeft = (moment) => moment ? (moment * 1000 - Date.now() - skew) / 60000 : Infinity;

  function warn() {
    const session = minutesLeft(told.endsAt);
    const workspace = minutesLeft(told.expiresAt);
    const left = Math.min(session, workspace);
    if (left <= 0 || left === Infinity) return;
    if (left * 60 <= told.saveSeconds && !saved) {
      saved = true;
      if (window.jupyterapp) window.jupyterapp.commands.execute("docmanager:save-all");
    }
    const due = told.warnMinutes.filter((minutes) => left <= minutes && !warned.has(minutes));
    if (!due.length) return;
    told.warnMinutes.filter((minutes) => left <= minutes).forEach((minutes) => warned.add(minutes));
    const about = Math.max(1, Math.round(left));
    if (workspace <= session) {
      say("end", "warning", "沙箱约 " + about + " 分钟后到期，会话随之结束。请保存文件；需要更久，请在门户申请延期。",
        "The workspace expires in about " + about + " min, and the session with it. Save your files; ask for more days in the portal.");
    } else {
      say("end", "warning", "会话约 " + about + " 分钟后达到最长时限，自动结束。请保存文件；之后可以重新启动。",
        "The session reaches its longest life in about " + about + " min and ends. Save your files; it can be started again.");
    }
  }

  // JupyterLab lost the connection, be it for a moment only, and says so in a dialog.
  function hook() {
    if (hooked || !window.jupyterapp) return;
    hooked = true;
    window.jupyterapp.serviceManager.connectionFailure.connect(() => { lost = true; });
  }

  async function begin() {
    await look();
    const seen = "sandbox-told-" + told.endsAt;
    if (told.before.length && !localStorage.getItem(seen)) {
      const read = () => localStorage.setItem(seen, "1");  // until then another load of the page shows it again
      say("before", "info", "上一次会话：" + told.before[0], "The session before: " + (told.before[1] || ""), false, read);
    }
    warn();
    setInterval(warn, LOOK_MS);
    // Asked only while somebody looks at the page, as JupyterLab itself does: a forgotten page keeps no session alive.
    setInterval(() => {
      hook();
      if (document.visibilityState === "visible") follow();
    }, LOOK_MS);
  }

  begin();
})();
