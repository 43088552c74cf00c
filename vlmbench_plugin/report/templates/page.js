"use strict";
// The theme button and the sortable grid. Without this script the page still reads.

(function () {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const label = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Use light colours" : "Use dark colours");
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    label();
  });
  dark.addEventListener("change", label);
  label();
})();

(function () {
  const table = document.getElementById("grid");
  if (!table) return;
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[1].cells];
  const original = [...body.rows];

  function value(row, column) {
    const text = row.cells[column].dataset.sort;
    const number = Number(text);
    return text === "" || text === "-" ? -1 : Number.isNaN(number) ? text : number;
  }

  function compare(a, b) {
    return a < b ? -1 : a > b ? 1 : 0;
  }

  heads.forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const first = column === 0 ? "ascending" : "descending";
      const second = column === 0 ? "descending" : "ascending";
      const now = head.getAttribute("aria-sort");
      const next = now === "none" ? first : now === first ? second : "none";
      heads.forEach((other) => other.setAttribute("aria-sort", "none"));
      head.setAttribute("aria-sort", next);
      const sign = next === "ascending" ? 1 : -1;
      const rows = [...original];
      if (next !== "none") {
        rows.sort((a, b) => sign * compare(value(a, column), value(b, column)));
      }
      body.append(...rows);
    });
  });
})();
