// What a page of the console does by itself: it follows the hall.
//
// Here: listening for what has changed, putting the new page in place of the old one piece by
// piece, and time that goes on. Not here: any text or markup; both come from the server, where all
// is escaped, and nothing here makes markup of a text.
"use strict";

(() => {
  const main = document.getElementById("main");
  const said = document.getElementById("said");
  const toast = document.getElementById("toast");
  const lost = document.getElementById("lost");
  const follows = new Set((main.dataset.follows || "").split(" ").filter(Boolean));

  // Time. The server's clock counts, not this machine's.

  let ahead = Number(main.dataset.now) - Date.now();
  const two = (n) => String(n).padStart(2, "0");

  function lasting(seconds) {
    const s = Math.max(0, Math.floor(seconds));
    const rest = two(s % 60);
    if (s < 3600) return `${Math.floor(s / 60)}:${rest}`;
    return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${rest}`;
  }

  function tick() {
    const now = Date.now() + ahead;
    for (const clock of document.querySelectorAll("[data-clock]")) {
      const at = new Date(now + Number(clock.dataset.clock) * 60000);
      const text = `${two(at.getUTCHours())}:${two(at.getUTCMinutes())}`;
      if (clock.textContent !== text) clock.textContent = text;
    }
    for (const each of document.querySelectorAll("[data-since]")) {
      if ("held" in each.dataset || !lost.hidden) continue;
      const seconds = (now - Number(each.dataset.since)) / 1000;
      each.textContent = lasting(seconds);
      const limit = Number(each.dataset.limit || 0);
      if (!limit) continue;
      const holder = each.closest("[data-limited]");
      if (!holder) continue;
      holder.classList.toggle("is-near", seconds >= limit * 0.8 && seconds < limit);
      holder.classList.toggle("is-over", seconds >= limit);
      const bar = holder.querySelector(".bar rect.part");
      if (bar) bar.setAttribute("width", `${Math.min(100, (100 * seconds) / limit)}%`);
    }
  }

  // The new page in place of the old one: what is the same stays, with focus, scroll and input.

  const key = (node) => (node.nodeType === 1 ? node.id || node.dataset.key || "" : "");
  const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);

  function become(old, fresh) {
    if (old.nodeType !== 1) {
      if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
      return;
    }
    if ("keep" in old.dataset) {
      // A form somebody may be filling in. Its token stays right as long as the session.
      return;
    }
    for (const { name } of [...old.attributes]) {
      if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) {
        old.removeAttribute(name);
      }
    }
    for (const { name, value } of fresh.attributes) {
      if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    }
    const wantedKeys = new Set([...fresh.childNodes].map(key));
    const there = new Map();
    for (const child of [...old.childNodes]) {
      if (!key(child)) continue;
      if (wantedKeys.has(key(child))) there.set(key(child), child);
      else child.remove();
    }
    let at = old.firstChild;
    for (const wanted of [...fresh.childNodes]) {
      let found = null;
      if (key(wanted)) {
        const known = there.get(key(wanted));
        if (known && same(known, wanted)) found = known;
      } else if (at && !key(at) && same(at, wanted)) {
        found = at;
      }
      if (!found) {
        old.insertBefore(document.importNode(wanted, true), at);
        continue;
      }
      if (found.contains(document.activeElement)) {
        // What is moved loses the focus, and an input method its half-written word: others move.
        while (at && at !== found) {
          const next = at.nextSibling;
          old.append(at);
          at = next;
        }
      }
      if (found === at) at = at.nextSibling;
      else old.insertBefore(found, at);
      become(found, wanted);
    }
    while (at) {
      const next = at.nextSibling;
      at.remove();
      at = next;
    }
  }

  // When a form goes with what was done by it, its place has the focus, and not the page's start.

  function keepingFocus(merge) {
    const held = document.activeElement;
    const around = [];
    for (let each = held; each && each !== main; each = each.parentElement) {
      if (each.hasAttribute("tabindex")) around.push(each);
    }
    merge();
    if (held && held !== document.body && !held.isConnected) {
      (around.find((each) => each.isConnected) || main).focus({ preventScroll: true });
    }
  }

  // What is new in a list is said to those who cannot see it.

  const keysOf = (list) => new Set([...list.children].map(key));

  function announce(before) {
    const texts = [];
    for (const list of document.querySelectorAll("[data-announce]")) {
      const known = before.get(list.id || list.className);
      if (!known) continue;
      for (const child of list.children) {
        if (child.dataset.say && !known.has(key(child))) texts.push(child.dataset.say);
      }
    }
    if (texts.length) said.textContent = texts.slice(0, 3).join(" ");
  }

  // Asking for the page again: one request at a time, and one more when something came meanwhile.

  const PAUSE_MS = 400;
  let asking = false;
  let again = false;

  function refresh() {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    again = false;
    const request = new XMLHttpRequest();
    request.open("GET", location.href);
    request.responseType = "document"; // made by the browser, in which no script runs
    request.setRequestHeader("X-Hall-Refresh", "1");
    request.timeout = 10000;
    request.onload = () => {
      if (request.status === 401) location.reload();
      const page = request.response;
      const fresh = page && page.getElementById("main");
      if (fresh) {
        const lists = [...document.querySelectorAll("[data-announce]")];
        const before = new Map(lists.map((list) => [list.id || list.className, keysOf(list)]));
        ahead = Number(fresh.dataset.now) - Date.now();
        keepingFocus(() => {
          become(main, fresh);
          const head = page.getElementById("head");
          if (head) become(document.getElementById("head"), head);
        });
        announce(before);
        tick();
      }
    };
    request.onloadend = () => {
      asking = false;
      if (again) setTimeout(refresh, PAUSE_MS);
    };
    request.send();
  }

  let source = null;

  function listen() {
    let hidden = 0;
    source = new EventSource(`/stream?mark=${encodeURIComponent(main.dataset.mark)}`);
    source.onopen = () => {
      clearTimeout(hidden);
      hidden = 0;
      lost.hidden = true;
      document.body.classList.remove("is-lost");
    };
    source.onmessage = (event) => {
      const news = JSON.parse(event.data).news;
      if (news.some((name) => name === "all" || follows.has(name))) refresh();
    };
    source.addEventListener("over", () => {
      hangUp();
      location.reload();
    });
    source.onerror = () => {
      if (!hidden) {
        hidden = setTimeout(() => {
          lost.hidden = false;
          document.body.classList.add("is-lost");
        }, 2500);
      }
      if (source && source.readyState === EventSource.CLOSED) {
        hangUp();
        setTimeout(() => location.reload(), 5000);
      }
    };
  }

  function hangUp() {
    if (source) source.close();
    source = null;
  }

  // A browser has six connections to one server: pages that nobody looks at must not keep theirs.
  function lookedAt() {
    if (document.hidden) hangUp();
    else if (!source) listen();
  }

  // Forms that answer in place.

  let toasted = 0;
  const busy = new WeakSet();

  function tell(text, good) {
    clearTimeout(toasted);
    toast.textContent = text;
    toast.classList.toggle("bad", !good);
    toast.classList.add("shown");
    toasted = setTimeout(() => toast.classList.remove("shown"), 8000);
  }

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sure && !confirm(form.dataset.sure)) {
      event.preventDefault();
      return;
    }
    if (!("inline" in form.dataset)) return;
    event.preventDefault();
    if (busy.has(form)) return; // a disabled button would lose the focus
    busy.add(form);
    const body = new URLSearchParams(new FormData(form, event.submitter));
    const request = new XMLHttpRequest();
    request.open("POST", event.submitter?.getAttribute("formaction") || form.getAttribute("action"));
    request.responseType = "document";
    request.onload = () => {
      const answer = request.response && request.response.getElementById("answer");
      if (request.status === 401) location.reload();
      tell(answer ? answer.textContent.trim() : `HTTP ${request.status}`, request.status < 400);
      if (request.status < 400) {
        for (const field of form.querySelectorAll("input:not([type=hidden]), textarea")) {
          field.value = "";
        }
      }
      refresh();
    };
    request.onerror = () => tell(lost.textContent, false);
    request.onloadend = () => busy.delete(form);
    request.send(body);
  });

  tick();
  setInterval(tick, 1000);
  if (follows.size) {
    lookedAt();
    document.addEventListener("visibilitychange", lookedAt);
    addEventListener("pagehide", hangUp);
    addEventListener("pageshow", lookedAt);
  }
})();
