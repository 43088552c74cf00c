"use strict";
// What went wrong: the constraint tax and the failures.

(function () {
  const { data, NARROW, unique, percent, keep, chooser, legend, rows } = Charts;

  function tax() {
    const models = unique(data.taxes.map((d) => d.model));
    const ids = ["tax-chart", "went-chart"];
    if (!document.getElementById(ids[0])) return;
    const redraw = keep(ids[0], (width) => {
      const found = data.taxes.filter((d) => d.model === model());
      const names = found.map((d) => d.task);
      const reach = Math.max(0.05, ...found.flatMap((d) => [Math.abs(d.low), Math.abs(d.high)]));
      const layout = rows(names, width, -reach);
      const ink = (d) => (d.low > 0 ? "var(--c3)" : d.high < 0 ? "var(--c5)" : "var(--muted)");
      legend(ids[0], [
        ["gains", "var(--c3)", "dot"],
        ["loses", "var(--c5)", "dot"],
        ["may be nothing", "var(--muted)", "dot"],
      ]);
      return Plot.plot({
        ...layout.frame,
        marginRight: 16,
        x: { domain: [-reach, reach], grid: true, label: "change of yield", tickFormat: "+.2~f", ticks: width < NARROW ? 4 : 8 },
        y: { domain: names, type: "band", axis: layout.narrow ? null : "left", tickSize: 0, label: null },
        marks: [
          Plot.ruleX([0], { stroke: "var(--ink)" }),
          layout.names,
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
      const found = data.taxes.filter((d) => d.model === model());
      const names = found.map((d) => d.task);
      const layout = rows(names, width, 0, -16);
      const ends = [
        ["right", "became right", "var(--c3)"],
        ["silent", "became wrong, unnoticed", "var(--c5)"],
        ["caught", "still invalid", "var(--muted)"],
      ];
      const parts = found.flatMap((d) => ends.map(([key, text]) => ({ task: d.task, text, count: d[key] })));
      legend(ids[1], ends.map(([, text, colour]) => [text, colour]));
      return Plot.plot({
        ...layout.frame,
        marginRight: 24,
        x: { grid: true, label: "answers", ticks: 5, domain: [0, Math.max(1, ...found.map((d) => d.right + d.silent + d.caught))] },
        y: { ...layout.y, padding: layout.narrow ? 0.62 : 0.35 },
        color: { domain: ends.map((d) => d[1]), range: ends.map((d) => d[2]) },
        marks: [
          // First, so that bars cover the rim of the text above them.
          layout.names,
          Plot.barX(parts, {
            y: "task",
            x: "count",
            fill: "text",
            insetRight: 1,
            title: (d) => `${d.task}: ${d.count} ${d.text}`,
            tip: true,
          }),
          Plot.ruleX([0], { stroke: "var(--ink)" }),
        ],
      });
    });
    const model = chooser(ids[0], models, () => {
      redraw();
      again();
    });
  }

  function failures() {
    const id = "failure-chart";
    if (!document.getElementById(id)) return;
    const kinds = data.families.flatMap((f) => f.kinds);
    // A hue for each family, a shade for each kind in it.
    const shades = data.families.flatMap((f, at) =>
      f.kinds.map((_, step) => {
        const part = 100 - (f.kinds.length > 1 ? (55 * step) / (f.kinds.length - 1) : 0);
        return `color-mix(in oklab, var(--f${at + 1}) ${part}%, var(--paper))`;
      })
    );
    const redraw = keep(id, (width) => {
      const all = task() === data.all;
      const found = data.failures.filter((d) => all || d.task === task());
      const names = unique(data.failures.map((d) => d.name));
      const layout = rows(names, width, 0, -16);
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
        ...layout.frame,
        marginRight: 24,
        x: { domain: [0, Math.max(0.05, ...sums)], label: "share of items", tickFormat: "%", ticks: 5, grid: true },
        y: { ...layout.y, padding: layout.narrow ? 0.55 : 0.3 },
        color: { domain: kinds, range: shades },
        marks: [
          // First, so that bars cover the rim of the text above them.
          layout.names,
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
        ],
      });
    });
    const task = chooser(id, [data.all, ...unique(data.failures.map((d) => d.task))], () => redraw());
  }

  tax();
  failures();
})();
