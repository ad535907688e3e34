// Exchanges the content of a page when its run has changed, and keeps what the reader has opened, chosen and scrolled to.
"use strict";

const name = location.pathname.startsWith("/run/") ? decodeURIComponent(location.pathname.slice(5)) : "";
const PARTS = ["header", "main"];
let busy = false, again = false;

function opened(root) {
  return Array.from(root.querySelectorAll("details"), (each) => each.open);
}

async function renew() {
  if (busy) { again = true; return; }
  busy = true;
  try {
    const answer = await fetch(location.href, { cache: "no-store" });
    if (answer.status === 403) return;  // another server has taken its place
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of PARTS) {
      const there = document.querySelector("body > " + part), fresh = page.querySelector("body > " + part);
      if (!there || !fresh || there.innerHTML === fresh.innerHTML) continue;
      const open = opened(there);
      const chosen = Array.from(there.querySelectorAll("input:checked"), (each) => [each.name, each.value]);
      const focused = there.contains(document.activeElement) ? document.activeElement : null;
      const kept = focused && [focused.tagName, focused.getAttribute("href"), focused.name, focused.value];
      there.replaceChildren(...fresh.childNodes);
      there.querySelectorAll("details").forEach((each, i) => { each.open = open[i] ?? each.open; });
      for (const input of there.querySelectorAll("input"))
        if (chosen.some(([n, v]) => n === input.name && v === input.value)) input.checked = true;
      if (kept) for (const each of there.querySelectorAll(kept[0]))
        if (each.getAttribute("href") === kept[1] && each.name === kept[2] && each.value === kept[3]) { each.focus(); break; }
    }
    document.title = page.title;
  } catch {
    // The server has ended: the stream says so.
  } finally {
    busy = false;
    if (again) { again = false; setTimeout(renew, 1000); }
  }
}

// The address that was opened first holds the token, which is in a cookie now: it need not stay in sight.
const address = new URL(location.href);
if (address.searchParams.has("token")) {
  address.searchParams.delete("token");
  history.replaceState(null, "", address);
}

if (!location.pathname.startsWith("/compare")) {
  const status = document.createElement("p");
  status.setAttribute("role", "status");
  status.style.cssText = "font-size: .875rem; margin: 0";
  document.body.prepend(status);
  let events = null, retry = 0;

  // A browser opens six connections to a host, for all its windows: only what is seen keeps one.
  const follow = () => {
    clearTimeout(retry);
    if (document.visibilityState !== "visible") {
      if (events) events.close();
      events = null;
      return;
    }
    if (events && events.readyState !== EventSource.CLOSED) return;
    events = new EventSource("/events?run=" + encodeURIComponent(name));
    events.addEventListener("open", () => { status.textContent = ""; renew(); });  // what changed in between
    events.addEventListener("changed", renew);
    events.addEventListener("error", () => {
      status.textContent = "not live: the server has ended";
      if (events && events.readyState === EventSource.CLOSED) retry = setTimeout(follow, 10000);  // it was refused
    });
  };
  document.addEventListener("visibilitychange", follow);
  follow();
}
