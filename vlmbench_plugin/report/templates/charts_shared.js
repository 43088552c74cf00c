"use strict";
// What all charts share. Each is drawn for the width it has, and again when that changes.

const Charts = (function () {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const NARROW = 560;
  const PAPER = "var(--paper)";
  const HUES = [1, 2, 3, 4, 5, 6, 7].map((n) => `var(--c${n})`);
  const unique = (values) => [...new Set(values)];
  const percent = (value) => `${(100 * value).toFixed(1)} %`;

  function keep(id, draw) {
    const place = document.getElementById(id);
    if (!place) return () => {};
    let width = 0;
    const redraw = () => {
      const chart = draw(width);
      chart.setAttribute("role", "img");
      chart.setAttribute("aria-labelledby", `${id}-title`);
      place.replaceChildren(chart);
    };
    new ResizeObserver(() => {
      const now = Math.floor(place.clientWidth);
      if (now === width || now === 0) return;
      width = now;
      requestAnimationFrame(redraw);
    }).observe(place);
    return () => width && redraw();
  }

  // Fills a select and returns how to read it; it stays hidden where there is no choice.
  function chooser(id, options, onChange) {
    const select = document.getElementById(`${id}-pick`);
    if (!select) return () => options[0];
    for (const option of options) select.add(new Option(option, option));
    select.closest("p").hidden = options.length < 2;
    select.addEventListener("change", () => onChange());
    return () => select.value;
  }

  function legend(id, entries) {
    const place = document.getElementById(`${id}-legend`);
    if (!place) return;
    place.replaceChildren(
      ...entries.map(([text, colour, kind]) => {
        const item = document.createElement("span");
        const swatch = document.createElement("i");
        swatch.className = kind || "swatch";
        swatch.style.color = colour;
        item.append(swatch, text);
        return item;
      })
    );
  }

  const TEXT = { fontSize: "13px", overflow: "visible" };

  // The frame of a chart with a row a name, and its names: left of the rows, or above them where a
  // phone has no room beside.
  function rows(names, width, start, above = -14) {
    const narrow = width < NARROW;
    const longest = Math.max(...names.map((name) => name.length));
    const left = narrow ? 4 : Math.min(0.38 * width, 8 * longest + 16);
    const ink = { fill: "currentColor", stroke: PAPER, strokeWidth: 4 };
    const own = { text: (d) => d, y: (d) => d, ...ink };
    return {
      narrow,
      frame: {
        width,
        height: (narrow ? 44 : 30) * names.length + 52,
        marginLeft: left,
        marginTop: 8,
        marginBottom: 40,
        style: TEXT,
      },
      y: { domain: names, type: "band", axis: null },
      names: narrow
        ? Plot.text(names, { ...own, x: start, dy: above, textAnchor: "start" })
        : Plot.text(names, {
            ...own,
            frameAnchor: "left",
            dx: -10,
            textAnchor: "end",
            textOverflow: "ellipsis",
            lineWidth: (left - 12) / 13,
          }),
    };
  }

  return { data, HUES, NARROW, PAPER, unique, percent, keep, chooser, legend, rows, TEXT };
})();
