// Only what a page cannot do by itself: Airflow's light or dark and its time zone, leaving Airflow's
// frame, and a run's progress. Every page works without it.
"use strict";

const framed = window.parent !== window;
if (framed) document.documentElement.dataset.framed = "";

function follow() {
  let theme = null;
  try { theme = localStorage.getItem("theme"); } catch { /* storage is switched off */ }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}
follow();
window.addEventListener("storage", follow);

// The zone that somebody chose in Airflow, otherwise the browser's. Pages are made by the server, so
// that one in another zone is asked for again; without cookies, it stays in the zone that it names.
function zone() {
  try {
    const chosen = JSON.parse(localStorage.getItem("timezone"));
    if (typeof chosen === "string" && chosen) return chosen;
  } catch { /* storage is switched off, or holds something else */ }
  return Intl.DateTimeFormat().resolvedOptions().timeZone;
}
const page = document.documentElement.dataset;
if (page.zone && zone() && zone() !== page.zone) {
  const cookie = `bothways_zone=${encodeURIComponent(zone())}`;
  if (!document.cookie.split("; ").includes(cookie)) {
    document.cookie = `${cookie}; path=${page.root}; max-age=31536000; samesite=lax`;
    if (document.cookie.split("; ").includes(cookie)) location.reload();
  }
}

// Airflow shows the console in a frame that may not navigate its parent; a link that is made in
// the parent's own page may.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-top]");
  if (!link || !framed || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const outside = window.parent.document.createElement("a");
  outside.href = link.href;
  window.parent.document.body.append(outside);
  outside.click();
  outside.remove();
});

const SECONDS = 3;

async function refresh(bar) {
  const answer = await fetch(bar.dataset.refresh, { headers: { Accept: "text/html" } });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".progress");
  if (fresh === null || fresh.dataset.state !== bar.dataset.state) { location.reload(); return; }
  bar.replaceWith(fresh);
  setTimeout(refresh, SECONDS * 1000, fresh);
}

document.addEventListener("DOMContentLoaded", () => {
  const bar = document.querySelector(".progress");
  if (bar) setTimeout(refresh, SECONDS * 1000, bar);
  const waiting = document.querySelector("[data-reload]");
  if (waiting) setTimeout(() => location.reload(), Number(waiting.dataset.reload) * 1000);
});
