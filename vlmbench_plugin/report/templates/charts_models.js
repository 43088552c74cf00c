"use strict";
// Models compared: ranking, cost, risk.

(function () {
  const { data, HUES, NARROW, PAPER, unique, percent, keep, chooser, legend, rows, TEXT } = Charts;

  function ranking() {
    const id = "ranking-chart";
    if (!document.getElementById(id)) return;
    const redraw = keep(id, (width) => {
      const found = data.ranking.filter((d) => d.task === task());
      found.sort((a, b) => b.value - a.value);
      const names = found.map((d) => d.name);
      const low = Math.floor(10 * Math.min(...found.map((d) => Math.min(d.low, d.floor ?? 1)))) / 10;
      const high = Math.ceil(10 * Math.max(...found.map((d) => d.high))) / 10;
      const layout = rows(names, width, low);
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
        ...layout.frame,
        marginRight: 54,
        x: { domain: [low, high], grid: true, label: "yield", ticks: width < NARROW ? 5 : 8 },
        y: layout.y,
        marks: [
          floor
            ? Plot.ruleX([floor.floor], { stroke: "var(--c2)", strokeDasharray: "4 3" })
            : null,
          layout.names,
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
            fill: (d) => (d.tied === false ? PAPER : "var(--c1)"),
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

  // Where each name can stand beside its dot without covering another; null where nowhere. All in
  // pixels, the most important ones first.
  function placed(spots, width, height) {
    const taken = spots.map(({ x, y }) => [x - 8, y - 8, x + 8, y + 8]);
    const free = ([left, top, right, bottom]) =>
      left >= 0 && right <= width && top >= 0 && bottom <= height &&
      taken.every((box) => right < box[0] || left > box[2] || bottom < box[1] || top > box[3]);
    return spots.map(({ x, y, name }) => {
      const wide = 7.3 * name.length;
      const places = [
        { anchor: "start", dx: 12, dy: 0, left: x + 11 },
        { anchor: "end", dx: -12, dy: 0, left: x - 11 - wide },
        { anchor: "start", dx: 0, dy: -17, left: x },
        { anchor: "end", dx: 0, dy: -17, left: x - wide },
        { anchor: "start", dx: 0, dy: 17, left: x },
        { anchor: "end", dx: 0, dy: 17, left: x - wide },
      ];
      for (const place of places) {
        const box = [place.left, y + place.dy - 8, place.left + wide, y + place.dy + 8];
        if (!free(box)) continue;
        taken.push(box);
        return place;
      }
      return null;
    });
  }

  function cost() {
    keep("cost-chart", (width) => {
      const found = [...data.costs].sort((a, b) => b.front - a.front || b.value - a.value);
      const seconds = found.map((d) => d.seconds);
      const [fastest, slowest] = [Math.min(...seconds), Math.max(...seconds)];
      const values = found.map((d) => d.value);
      const [lowest, highest] = [Math.min(...values), Math.max(...values)];
      const pad = 0.15 * (highest - lowest) + 0.02;
      const height = Math.max(320, Math.min(440, 0.5 * width));
      const margin = { marginLeft: 44, marginRight: 20, marginBottom: 42, marginTop: 28 };
      const x = {
        type: slowest > 6 * fastest ? "log" : "linear",
        domain: [fastest * 0.8, slowest * 1.15],
      };
      const y = { domain: [Math.max(0, lowest - pad), Math.min(1, highest + pad)] };
      const across = Plot.scale({ x: { ...x, range: [margin.marginLeft, width - margin.marginRight] } });
      const down = Plot.scale({ y: { ...y, range: [height - margin.marginBottom, margin.marginTop] } });
      const places = placed(
        found.map((d) => ({ x: across.apply(d.seconds), y: down.apply(d.value), name: d.name })),
        width,
        height - margin.marginBottom
      );
      legend("cost-chart", [
        ["json_mode", "var(--c1)", "ring"],
        ["constrained", "var(--c1)", "square"],
        ["Pareto front", "var(--c2)", "line"],
      ]);
      return Plot.plot({
        width,
        height,
        ...margin,
        style: TEXT,
        x: {
          ...x,
          label: "seconds per item",
          grid: true,
          ticks: 5,
          tickFormat: (d) => `${Number(d.toPrecision(2))}`,
        },
        y: { ...y, label: "yield", grid: true, ticks: 6 },
        symbol: { domain: ["json_mode", "constrained"], range: ["circle", "square"] },
        marks: [
          Plot.line(
            found.filter((d) => d.front).sort((a, b) => a.seconds - b.seconds),
            { x: "seconds", y: "value", stroke: "var(--c2)", strokeWidth: 2, curve: "step-after" }
          ),
          Plot.dot(found, {
            x: "seconds",
            y: "value",
            symbol: "mode",
            r: 6,
            stroke: "var(--c1)",
            strokeWidth: 2,
            fill: (d) => (d.mode === "constrained" ? "var(--c1)" : PAPER),
            title: (d) => `${d.name}: yield ${d.value.toFixed(3)}, ${d.seconds.toPrecision(3)} s`,
            tip: true,
          }),
          ...found.map((d, at) =>
            places[at] &&
            Plot.text([d], {
              x: "seconds",
              y: "value",
              text: "name",
              textAnchor: places[at].anchor,
              dx: places[at].dx,
              dy: places[at].dy,
              fontWeight: d.front ? 650 : 400,
              stroke: PAPER,
              strokeWidth: 4,
              fill: "currentColor",
            })
          ),
        ],
      });
    });
  }

  function risk() {
    const id = "risk-chart";
    if (!document.getElementById(id)) return;
    const redraw = keep(id, (width) => {
      const found = data.curves.filter((d) => d.task === task());
      const models = unique(found.map((d) => d.model));
      const hue = (d) => HUES[models.indexOf(d.model) % HUES.length];
      const points = found.flatMap((d) => d.points.map(([x, y]) => ({ name: d.name, mode: d.mode, x, y })));
      const top = Math.min(1, 1.1 * Math.max(0.1, ...points.map((d) => d.y)));
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
        style: TEXT,
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
            stroke: PAPER,
            strokeWidth: 2,
            title: (d) => `${d.name}: ${percent(d.coverage)} promised`,
          }),
          Plot.tip(points, Plot.pointer({ x: "x", y: "y", title: (d) => `${d.name}\n${percent(d.x)} accepted, ${percent(d.y)} of them wrong` })),
        ],
      });
    });
    const task = chooser(id, unique(data.curves.map((d) => d.task)), () => redraw());
  }

  ranking();
  cost();
  risk();
})();
