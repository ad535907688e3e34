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
  } finally {
    busy = false;
    if (again) { again = false; setTimeout(renew, 1000); }
  }
}

if (!location.pathname.startsWith("/compare")) {
  const events = new EventSource("/events?run=" + encodeURIComponent(name));
  events.addEventListener("open", renew);  // what changed before the stream began, or while it was broken
  events.addEventListener("changed", renew);
}
