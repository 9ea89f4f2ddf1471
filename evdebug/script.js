// The page is fetched again once per second, and only the differences are replaced. The elements
// stay, and so do focus, selection and scroll position. charts.js defines charts.
"use strict";
(() => {
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const main = document.getElementById("main");
  const pause = document.getElementById("pause");
  const status = document.getElementById("status");
  let paused = false;
  let asked = 0; // the number of the last request: an answer to an earlier one is not shown
  let recording = 0; // until when the status says so

  // say sets the status text. Screen readers read it aloud, so it is set only when it changes.
  const say = (text) => {
    if (Date.now() < recording) text = "Recording for five seconds…";
    if (status.textContent !== text) status.textContent = text;
  };

  function patch(to, from) {
    if (charts.owns(to)) return to.setAttribute("aria-label", from.getAttribute("aria-label"));
    if (to.isEqualNode(from)) return;
    if (to.nodeName !== from.nodeName) return to.replaceWith(from);
    if (to.nodeType !== Node.ELEMENT_NODE) {
      to.nodeValue = from.nodeValue;
      return;
    }
    for (const { name } of [...to.attributes]) if (!from.hasAttribute(name)) to.removeAttribute(name);
    for (const { name, value } of from.attributes) if (to.getAttribute(name) !== value) to.setAttribute(name, value);
    const wanted = [...from.childNodes];
    while (to.childNodes.length > wanted.length) to.lastChild.remove();
    wanted.forEach((child, i) => {
      if (i < to.childNodes.length) patch(to.childNodes[i], child);
      else to.append(child);
    });
  }

  async function refresh() {
    const number = ++asked;
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (paused || number !== asked) return;
    patch(main, document.adoptNode(page.getElementById("main")));
    charts.update();
    say(answer.ok ? "" : "This loop is gone.");
    if (answer.status === 404) finish();
  }

  function finish() {
    paused = true;
    pause.hidden = true;
  }

  async function turn() {
    if (!paused && !document.hidden) {
      try {
        await refresh();
      } catch {
        say("No answer from the process.");
      }
    }
    setTimeout(turn, still.matches ? 5000 : 1000);
  }

  pause.addEventListener("click", () => {
    paused = !paused;
    pause.textContent = paused ? "Go on" : "Pause";
    say(paused ? "Paused." : "");
  });

  // A heading sorts without loading the page anew: the focus stays where it is.
  main.addEventListener("click", (e) => {
    const link = e.target.closest("a[data-sort]");
    if (link && !paused && !e.ctrlKey && !e.metaKey && !e.shiftKey) {
      e.preventDefault();
      history.replaceState(null, "", link.href);
      refresh().catch(() => say("No answer from the process."));
    }
    if (e.target.closest("a[data-record]")) {
      recording = Date.now() + 5000;
      say("");
    }
  });

  charts.update();
  if (main.hasAttribute("data-gone")) return;
  pause.hidden = false;
  setTimeout(turn, 1000);
})();
