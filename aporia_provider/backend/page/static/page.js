// Tooltips, local times, the theme of Airflow, and buttons that copy. The page works without it.
"use strict";

(() => {
  // Airflow's UI stores its theme under this key of the same origin; "system" means that of the browser.
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
