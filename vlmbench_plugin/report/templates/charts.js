"use strict";
// Draws each chart for the width it has, and again when that changes.

(function () {
  const data = JSON.parse(document.getElementById("chart-data").textContent);
  const NARROW = 560;
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

  // Names stand left of the rows, or above them where a phone has no room beside.
  function rows(names, width) {
    const narrow = width < NARROW;
    const longest = Math.max(...names.map((name) => name.length));
    const step = narrow ? 44 : 30;
    return {
      narrow,
      left: narrow ? 4 : Math.min(0.4 * width, 7.2 * longest + 16),
      height: step * names.length + 46,
      marks: (x) =>
        narrow
          ? [Plot.text(names, { y: (d) => d, x, dy: -14, text: (d) => d, textAnchor: "start" })]
          : [],
    };
  }

  function style() {
    return { fontSize: "13px", overflow: "visible" };
  }

  function ranking() {
    const id = "ranking-chart";
    if (!document.getElementById(id)) return;
    const redraw = keep(id, (width) => {
      const found = data.ranking.filter((d) => d.task === task());
      found.sort((a, b) => b.value - a.value);
      const names = found.map((d) => d.name);
      const layout = rows(names, width);
      const low = Math.floor(10 * Math.min(...found.map((d) => Math.min(d.low, d.floor ?? 1)))) / 10;
      const high = Math.ceil(10 * Math.max(...found.map((d) => d.high))) / 10;
      const ink = (d) => (d.tied === false ? "var(--muted)" : "var(--c1)");
      const floor = found.find((d) => d.floor != null);
      legend(id, [
        ...(found.some((d) => d.tied !== null)
          ? [
              ["no other is shown to beat it", "var(--c1)", "dot"],
              ["another is shown to beat it", "var(--muted)", "ring"],
            ]
          : []),
        ...(floor ? [["floor: the best blind answer", "var(--c2)", "dash"]] : []),
      ]);
      return Plot.plot({
        width,
        height: layout.height,
        marginLeft: layout.left,
        marginRight: 54,
        marginBottom: 36,
        style: style(),
        x: { domain: [low, high], grid: true, label: "yield", ticks: width < NARROW ? 5 : 8 },
        y: {
          domain: names,
          type: "band",
          axis: layout.narrow ? null : "left",
          tickSize: 0,
          label: null,
          padding: 0.2,
        },
        marks: [
          floor
            ? Plot.ruleX([floor.floor], { stroke: "var(--c2)", strokeDasharray: "4 3" })
            : null,
          ...layout.marks(low),
          Plot.ruleY(found, {
            y: "name",
            x1: "low",
            x2: "high",
            stroke: ink,
            strokeWidth: 6,
            strokeOpacity: 0.32,
            strokeLinecap: "round",
          }),
          Plot.dot(found, {
            y: "name",
            x: "value",
            r: 5,
            fill: (d) => (d.tied === false ? "var(--paper)" : "var(--c1)"),
            stroke: ink,
            strokeWidth: 2,
            title: (d) =>
              `${d.name}: ${d.value.toFixed(3)} [${d.low.toFixed(2)}, ${d.high.toFixed(2)}]` +
              (d.range ? `, rank ${d.range}` : ""),
            tip: true,
          }),
          Plot.text(found, {
            y: "name",
            x: "high",
            dx: 10,
            text: (d) => d.value.toFixed(3),
            textAnchor: "start",
          }),
        ],
      });
    });
    const task = chooser(id, unique(data.ranking.map((d) => d.task)), () => redraw());
  }

  function cost() {
    keep("cost-chart", (width) => {
      const found = [...data.costs].sort((a, b) => a.seconds - b.seconds);
      const spread = found[found.length - 1].seconds / found[0].seconds;
      const front = found.filter((d) => d.front);
      const lowest = Math.min(...found.map((d) => d.value));
      const highest = Math.max(...found.map((d) => d.value));
      const pad = 0.15 * (highest - lowest) + 0.02;
      const labelled = width < NARROW || found.length > 10 ? front : found;
      legend("cost-chart", [
        ["json_mode", "var(--c1)", "ring"],
        ["constrained", "var(--c1)", "square"],
        ["Pareto front", "var(--c2)", "line"],
      ]);
      return Plot.plot({
        width,
        height: Math.max(300, Math.min(440, 0.5 * width)),
        marginLeft: 48,
        marginRight: width < NARROW ? 16 : 120,
        marginBottom: 42,
        marginTop: 24,
        style: style(),
        x: {
          type: spread > 6 ? "log" : "linear",
          domain: [found[0].seconds * 0.85, found[found.length - 1].seconds * 1.15],
          label: "seconds per item",
          grid: true,
          ticks: 5,
          tickFormat: (d) => `${Number(d.toPrecision(2))}`,
        },
        y: { domain: [Math.max(0, lowest - pad), Math.min(1, highest + pad)], label: "yield", grid: true, ticks: 6 },
        symbol: { domain: ["json_mode", "constrained"], range: ["circle", "square"] },
        marks: [
          Plot.line(front, {
            x: "seconds",
            y: "value",
            stroke: "var(--c2)",
            strokeWidth: 2,
            curve: "step-after",
          }),
          Plot.dot(found, {
            x: "seconds",
            y: "value",
            symbol: "mode",
            r: 6,
            stroke: "var(--c1)",
            strokeWidth: 2,
            fill: (d) => (d.mode === "constrained" ? "var(--c1)" : "var(--paper)"),
            title: (d) => `${d.name}: yield ${d.value.toFixed(3)}, ${d.seconds.toPrecision(3)} s`,
            tip: true,
          }),
          Plot.text(labelled, {
            x: "seconds",
            y: "value",
            text: "name",
            textAnchor: (d) => (d.seconds > found[0].seconds * Math.pow(spread, 0.6) && width < NARROW ? "end" : "start"),
            dx: 10,
            dy: -10,
            fontWeight: (d) => (d.front ? 600 : 400),
          }),
        ],
      });
    });
  }

  function tax() {
    const models = unique(data.taxes.map((d) => d.model));
    const ids = ["tax-chart", "went-chart"];
    if (!document.getElementById(ids[0])) return;
    const redraw = keep(ids[0], (width) => {
      const found = data.taxes.filter((d) => d.model === model());
      const names = found.map((d) => d.task);
      const layout = rows(names, width);
      const reach = Math.max(0.05, ...found.flatMap((d) => [Math.abs(d.low), Math.abs(d.high)]));
      const ink = (d) => (d.low > 0 ? "var(--c3)" : d.high < 0 ? "var(--c5)" : "var(--muted)");
      legend(ids[0], [
        ["gains", "var(--c3)", "dot"],
        ["loses", "var(--c5)", "dot"],
        ["may be nothing", "var(--muted)", "dot"],
      ]);
      return Plot.plot({
        width,
        height: layout.height,
        marginLeft: layout.left,
        marginRight: 16,
        marginBottom: 36,
        style: style(),
        x: { domain: [-reach, reach], grid: true, label: "change of yield", tickFormat: "+.2~f", ticks: width < NARROW ? 4 : 8 },
        y: { domain: names, type: "band", axis: layout.narrow ? null : "left", tickSize: 0, label: null },
        marks: [
          Plot.ruleX([0], { stroke: "var(--ink)" }),
          ...layout.marks(-reach),
          Plot.ruleY(found, { y: "task", x1: "low", x2: "high", stroke: ink, strokeWidth: 2.5 }),
          Plot.dot(found, {
            y: "task",
            x: "value",
            r: 5,
            fill: ink,
            title: (d) => `${d.task}: ${d.value.toFixed(3)} [${d.low.toFixed(2)}, ${d.high.toFixed(2)}]`,
            tip: true,
          }),
        ],
      });
    });
    const again = keep(ids[1], (width) => {
      const found = data.taxes.filter((d) => d.model === other());
      const names = found.map((d) => d.task);
      const layout = rows(names, width);
      const ends = [
        ["right", "became right", "var(--c3)"],
        ["silent", "became wrong, unnoticed", "var(--c5)"],
        ["caught", "still invalid", "var(--muted)"],
      ];
      const parts = found.flatMap((d) => ends.map(([key, text]) => ({ task: d.task, text, count: d[key] })));
      legend(ids[1], ends.map(([, text, colour]) => [text, colour]));
      return Plot.plot({
        width,
        height: layout.height,
        marginLeft: layout.left,
        marginRight: 24,
        marginBottom: 36,
        style: style(),
        x: { grid: true, label: "answers", ticks: 5, domain: [0, Math.max(1, ...found.map((d) => d.right + d.silent + d.caught))] },
        y: { domain: names, type: "band", axis: layout.narrow ? null : "left", tickSize: 0, label: null, padding: layout.narrow ? 0.62 : 0.35 },
        color: { domain: ends.map((d) => d[1]), range: ends.map((d) => d[2]) },
        marks: [
          Plot.barX(parts, {
            y: "task",
            x: "count",
            fill: "text",
            insetRight: 1,
            title: (d) => `${d.task}: ${d.count} ${d.text}`,
            tip: true,
          }),
          Plot.ruleX([0], { stroke: "var(--ink)" }),
          ...(layout.narrow
            ? [Plot.text(names, { y: (d) => d, x: 0, dy: -16, text: (d) => d, textAnchor: "start" })]
            : []),
        ],
      });
    });
    const model = chooser(ids[0], models, () => redraw());
    const other = chooser(ids[1], models, () => again());
  }

  function risk() {
    const id = "risk-chart";
    if (!document.getElementById(id)) return;
    const redraw = keep(id, (width) => {
      const found = data.curves.filter((d) => d.task === task());
      const names = unique(found.map((d) => d.name));
      const hue = (d) => HUES[names.indexOf(d.name) % HUES.length];
      const points = found.flatMap((d) => d.points.map(([x, y]) => ({ name: d.name, mode: d.mode, x, y })));
      const top = Math.min(1, Math.max(0.1, ...points.map((d) => d.y)) * 1.1);
      const aim = found[0].aim;
      const promised = found.filter((d) => d.coverage !== null);
      legend(id, [
        ...found.map((d) => [d.name, hue(d), d.mode === "constrained" ? "line" : "dash"]),
        [`${percent(aim)} wrong`, "var(--ink)", "dots"],
      ]);
      return Plot.plot({
        width,
        height: Math.max(280, Math.min(420, 0.48 * width)),
        marginLeft: 56,
        marginRight: 20,
        marginBottom: 42,
        marginTop: 24,
        style: style(),
        x: { domain: [0, 1], label: "accepted", tickFormat: "%", ticks: 5, grid: true },
        y: { domain: [0, top], label: "wrong among them", tickFormat: "%", ticks: 5, grid: true },
        marks: [
          Plot.ruleY([aim], { stroke: "var(--ink)", strokeDasharray: "2 4" }),
          ...found.map((d) =>
            Plot.line(d.points, {
              x: "0",
              y: "1",
              stroke: hue(d),
              strokeWidth: 2.5,
              strokeDasharray: d.mode === "constrained" ? null : "7 4",
            })
          ),
          Plot.dot(promised, {
            x: "coverage",
            y: aim,
            r: 6,
            fill: hue,
            stroke: "var(--paper)",
            strokeWidth: 2,
            title: (d) => `${d.name}: ${percent(d.coverage)} promised`,
          }),
          Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (d) => `${d.name}\n${percent(d.x)} accepted, ${percent(d.y)} of them wrong` })),
        ],
      });
    });
    const task = chooser(id, unique(data.curves.map((d) => d.task)), () => redraw());
  }

  function failures() {
    const id = "failure-chart";
    if (!document.getElementById(id)) return;
    const kinds = data.families.flatMap((f) => f.kinds);
    // A hue for each family, a shade for each kind in it.
    const shades = data.families.flatMap((f, at) =>
      f.kinds.map((_, step) => {
        const part = 100 - (f.kinds.length > 1 ? (62 * step) / (f.kinds.length - 1) : 0);
        return `color-mix(in oklab, var(--f${at + 1}) ${part}%, var(--paper))`;
      })
    );
    const redraw = keep(id, (width) => {
      const all = task() === data.all;
      const found = data.failures.filter((d) => all || d.task === task());
      const names = unique(data.failures.map((d) => d.name));
      const layout = rows(names, width);
      const parts = [];
      for (const name of names) {
        const own = found.filter((d) => d.name === name);
        const n = own.reduce((sum, d) => sum + d.n, 0);
        for (const kind of kinds) {
          const count = own.reduce((sum, d) => sum + (d.counts[kind] || 0), 0);
          if (count) parts.push({ name, kind, count, share: count / n, n });
        }
      }
      const seen = kinds.filter((kind) => parts.some((d) => d.kind === kind));
      legend(id, seen.map((kind) => [kind, shades[kinds.indexOf(kind)]]));
      const sums = names.map((name) => parts.filter((d) => d.name === name).reduce((s, d) => s + d.share, 0));
      return Plot.plot({
        width,
        height: layout.height,
        marginLeft: layout.left,
        marginRight: 24,
        marginBottom: 36,
        style: style(),
        x: { domain: [0, Math.max(0.05, ...sums)], label: "share of items", tickFormat: "%", ticks: 5, grid: true },
        y: { domain: names, type: "band", axis: layout.narrow ? null : "left", tickSize: 0, label: null, padding: layout.narrow ? 0.55 : 0.3 },
        color: { domain: kinds, range: shades },
        marks: [
          Plot.barX(parts, {
            y: "name",
            x: "share",
            fill: "kind",
            order: kinds,
            stroke: "var(--paper)",
            strokeWidth: 1,
            title: (d) => `${d.name}: ${d.kind}, ${d.count} of ${d.n} (${percent(d.share)})`,
            tip: true,
          }),
          Plot.ruleX([0], { stroke: "var(--ink)" }),
          ...(layout.narrow
            ? [Plot.text(names, { y: (d) => d, x: 0, dy: -17, text: (d) => d, textAnchor: "start" })]
            : []),
        ],
      });
    });
    const task = chooser(id, [data.all, ...unique(data.failures.map((d) => d.task))], () => redraw());
  }

  ranking();
  cost();
  tax();
  risk();
  failures();
})();
