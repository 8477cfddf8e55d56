// Looks for news every two seconds and puts it in place, keeping what is open and where the keyboard is.
"use strict";

const EVERY_MS = 2000;
const pause = document.getElementById("pause");
let seen = "";
let paused = false;

const showTarget = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.open = true;
    target.querySelector("summary").focus();
  }
};

const replace = (html) => {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const focused = document.activeElement ? document.activeElement.id : "";
  for (const details of document.querySelectorAll("details[open]")) {
    const same = fresh.getElementById(details.id);
    if (same) same.open = true;
  }
  document.getElementById("content").replaceWith(document.adoptNode(fresh.getElementById("content")));
  document.getElementById("news").textContent = fresh.getElementById("news").textContent;
  if (focused && document.getElementById(focused)) document.getElementById(focused).focus({ preventScroll: true });
};

const look = async () => {
  // what somebody is just marking is left alone
  if (paused || document.hidden || !getSelection().isCollapsed) return;
  try {
    const answer = await fetch("/", { headers: seen ? { "If-None-Match": seen } : {}, cache: "no-store" });
    if (answer.status !== 200) return;
    seen = answer.headers.get("ETag");
    replace(await answer.text());
  } catch {
    seen = "";
    document.getElementById("news").textContent = "The demo has ended.";
  }
};

pause.hidden = false;
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
});
addEventListener("hashchange", showTarget);
showTarget();
setInterval(look, EVERY_MS);
