// Tooltips, local times, the theme of Airflow, and buttons that copy. The page works without it.
"use strict";

(() => {
  // Airflow's UI stores its theme under this key of the same origin; "system" means the theme of the browser.
  function applyTheme() {
    let theme = null;
    try {
      theme = window.localStorage.getItem("theme");
    } catch {
      // The storage is not accessible.
    }
    if (theme === "dark" || theme === "light") {
      document.documentElement.dataset.theme = theme;
    } else {
      delete document.documentElement.dataset.theme;
    }
  }
  applyTheme();
  window.addEventListener("storage", applyTheme);

  function localTimes() {
    const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
    for (const element of document.querySelectorAll("time[datetime]:not([title])")) {
      const moment = new Date(element.dateTime);
      if (!Number.isNaN(moment.getTime())) {
        element.title = format.format(moment);
      }
    }
  }
  localTimes();

  // Marks of charts have their values as labels.
  const tooltip = document.createElement("div");
  tooltip.className = "tooltip";
  tooltip.hidden = true;
  tooltip.setAttribute("aria-hidden", "true");
  document.body.append(tooltip);

  function show(event) {
    const mark = event.target instanceof Element ? event.target.closest(".chart [aria-label]") : null;
    if (mark === null || mark.closest("svg") === mark) {
      tooltip.hidden = true;
      return;
    }
    tooltip.textContent = mark.getAttribute("aria-label");
    tooltip.hidden = false;
    const box = mark.getBoundingClientRect();
    const x = event instanceof MouseEvent ? event.clientX : box.left + box.width / 2;
    const y = event instanceof MouseEvent ? event.clientY : box.top;
    tooltip.style.left = `${Math.max(4, Math.min(x + 12, window.innerWidth - tooltip.offsetWidth - 4))}px`;
    tooltip.style.top = `${Math.max(4, y - tooltip.offsetHeight - 8)}px`;
  }
  document.addEventListener("mouseover", show);
  document.addEventListener("focusin", show);
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      tooltip.hidden = true;
    }
  });

  // Parts of a view that take longer are requested when they become visible, at most two at once.
  const waiting = [];
  let running = 0;

  async function load(element) {
    try {
      const response = await fetch(element.dataset.loads, { headers: { Accept: "text/html" } });
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      const part = page.querySelector("[data-part]");
      if (response.ok && part !== null) {
        element.replaceChildren(...part.childNodes);
        localTimes();
      }
    } catch {
      // The link to the part remains.
    }
    element.removeAttribute("aria-busy");
  }

  async function next() {
    const element = waiting.shift();
    if (element === undefined || running >= 2) {
      if (element !== undefined) {
        waiting.unshift(element);
      }
      return;
    }
    running += 1;
    await load(element);
    running -= 1;
    next();
  }

  const observer = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (entry.isIntersecting) {
        observer.unobserve(entry.target);
        entry.target.setAttribute("aria-busy", "true");
        waiting.push(entry.target);
        next();
      }
    }
  });
  for (const element of document.querySelectorAll("[data-loads]")) {
    observer.observe(element);
  }

  for (const slider of document.querySelectorAll("input[type=range][data-output]")) {
    const output = document.getElementById(slider.dataset.output);
    slider.addEventListener("input", () => {
      output.textContent = slider.value;
    });
  }

  for (const button of document.querySelectorAll("button[data-copies]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copies);
      try {
        await navigator.clipboard.writeText(source.textContent);
        button.textContent = "Copied";
      } catch {
        window.getSelection().selectAllChildren(source);
      }
    });
  }
})();
