"use strict";
// The gallery. Everything it shows comes from models and may be hostile: it is set as text content
// and as attributes that hold numbers, never parsed as markup.

(function () {
  const form = document.getElementById("filters");
  if (!form) return;
  const cases = JSON.parse(document.getElementById("case-data").textContent);
  const pictures = JSON.parse(document.getElementById("picture-data").textContent);
  const cards = document.getElementById("cards");
  const more = document.getElementById("more");
  const STEP = 12;
  let found = cases;
  let shown = 0;

  function element(name, properties, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(properties || {})) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function drawn(name, properties, ...children) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(properties || {})) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function layer(name, marks, unit, height) {
    const group = drawn("g", { class: name });
    for (const mark of marks) {
      // A dark rim below each line keeps it readable on any picture.
      for (const kind of ["rim", "line"]) {
        if (mark.path) group.append(drawn("path", { d: mark.path, class: kind }));
        for (const [x, y] of mark.dots) {
          const r = (kind === "rim" ? 1 : 0) + (mark.path ? 2.4 : 5) * unit;
          group.append(drawn("circle", { cx: x, cy: y, r, class: `${kind} spot` }));
        }
      }
    }
    for (const mark of marks) {
      if (!mark.name || !mark.at) continue;
      const size = (mark.path ? 13 : 20) * unit;
      // Truth is named above its place and prediction below, so that both can be read.
      const [x, top, bottom] = mark.at;
      const above = Math.max(size, top - 5 * unit);
      const below = Math.min(height - 5 * unit, bottom + 1.1 * size);
      const y = name === "truth" ? above : below;
      const text = drawn("text", { x, y, "font-size": size });
      text.textContent = mark.name;
      group.append(text);
    }
    return group;
  }

  function picture(item) {
    const [width, height] = item.size;
    const unit = Math.max(width, height) / 440;
    const title = `${item.task}, image ${item.image}: truth and prediction`;
    const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
    svg.append(drawn("rect", { width, height, class: "blank" }));
    if (item.picture) {
      svg.append(drawn("image", { href: pictures[item.picture], width, height, class: "picture", preserveAspectRatio: "none" }));
    }
    svg.append(layer("truth", item.truth_marks || [], unit, height));
    svg.append(layer("answer", item.answer_marks || [], unit, height));
    return svg;
  }

  function differences(item) {
    if (!item.rows) return element("p", { class: "none" }, "The task is not known here, so its fields are not compared.");
    const table = element("table", { class: "rows" });
    table.append(element("caption", { class: "hidden" }, "Difference by field"));
    const head = ["field", "truth", item.valid ? "prediction" : "no valid answer", ""];
    table.append(element("thead", {}, element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)))));
    const body = element("tbody");
    for (const [path, truth, answer, same, note] of item.rows) {
      const kind = truth && answer ? "differs" : truth ? "missing" : "not in truth";
      const verdict = !item.valid ? "" : same ? "same" : note || kind;
      body.append(
        element("tr", { class: same || !item.valid ? "" : note ? "differs" : "wrong" },
          element("th", { scope: "row" }, path), element("td", {}, truth), element("td", {}, answer),
          element("td", { class: "verdict" }, verdict))
      );
    }
    table.append(body);
    const parts = [element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Difference by field" }, table)];
    if (item.rows_left) parts.push(element("p", { class: "cut" }, `${item.rows_left} more fields are left out.`));
    return element("div", {}, ...parts);
  }

  function block(summary, text, open, note) {
    const made = element("details", open ? { open: "" } : {}, element("summary", {}, summary));
    made.append(element("pre", { tabindex: "0", role: "region", "aria-label": summary }, text));
    if (note) made.append(element("p", { class: "cut" }, note));
    return made;
  }

  function card(item, index) {
    const id = `case-${index}`;
    const result = item.failure ? `${item.status}: ${item.failure}` : item.status;
    const figures = Object.entries(item.secondary).map(([name, value]) => `${name} ${Number(value.toFixed(3))}`);
    const facts = element("div", { class: "facts" },
      element("p", { class: "reason" }, item.reason),
      differences(item));
    if (figures.length) facts.append(element("p", { class: "cut" }, figures.join(" · ")));
    if (item.question) facts.append(block("Question", item.question, false));
    if (item.raw !== null) {
      const cut = item.cut ? `${item.cut} more characters are left out.` : "";
      facts.append(block("Raw answer", item.raw, item.status !== "passed", cut));
      facts.append(item.parsed === null
        ? element("p", { class: "cut" }, "Nothing could be parsed from it.")
        : block("Parsed answer, in the model's own coordinates", item.parsed, false));
    }
    return element("article", { class: "card", "aria-labelledby": id },
      element("header", {},
        element("h3", { id }, `${item.task} · ${item.model} · ${item.mode}`),
        element("span", { class: `badge ${item.status}` }, result),
        element("p", {}, [item.image, ...item.about].join(" · "))),
      element("div", { class: "body" }, element("div", { class: "view" }, picture(item)), facts));
  }

  function extend() {
    const next = found.slice(shown, shown + STEP);
    cards.append(...next.map((item, at) => card(item, shown + at)));
    shown += next.length;
    more.hidden = shown >= found.length;
    document.getElementById("count").textContent =
      found.length ? `${shown} of ${found.length} cases` : "No case fits these filters.";
  }

  function filter() {
    const wanted = [...form.querySelectorAll("select")].filter((select) => select.value);
    found = cases.filter((item) => wanted.every((select) => item[select.dataset.by] === select.value));
    shown = 0;
    cards.replaceChildren();
    extend();
  }

  form.addEventListener("change", (event) => {
    const name = event.target.dataset.layer;
    if (name) cards.classList.toggle(`no-${name}`, !event.target.checked);
    else filter();
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  more.addEventListener("click", () => {
    const first = shown;
    extend();
    const next = document.getElementById(`case-${first}`);
    next.tabIndex = -1;
    next.focus();
  });
  form.hidden = false;
  filter();
})();
