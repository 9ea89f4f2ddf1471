// The figures of the page become charts of uPlot: with the values at the pointer, one crosshair for
// all, and a zoom in time. The numbers are in the attributes of each figure; its drawing, which is
// for browsers without script, makes way. uPlot.iife.min.js defines uPlot.
"use strict";
const charts = (() => {
  const drawn = new Map(); // the box of a figure -> its chart
  const whole = document.getElementById("whole");
  const dark = matchMedia("(prefers-color-scheme: dark)");
  let zoom = null; // [from, to] in seconds, for all charts over time
  let applying = false;

  // The formats of the page: three digits, and the thousands apart.
  const apart = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, "\u202f");
  const digits = (v) => (v >= 99.95 ? v.toFixed(0) : v >= 9.995 ? v.toFixed(1) : v.toFixed(2));
  const duration = (ns) => {
    if (ns === 0) return "0";
    if (ns < 1e3) return ns + " ns";
    if (ns < 1e6) return digits(ns / 1e3) + " µs";
    if (ns < 1e9) return digits(ns / 1e6) + " ms";
    if (ns < 60e9) return digits(ns / 1e9) + " s";
    return apart(Math.round(ns / 1e9)) + " s";
  };
  const rate = (v) => (v === 0 || v >= 9.95 ? apart(Math.round(v)) : v.toFixed(1));
  const formats = { ns: duration, rate, percent: (v) => rate(v) + " %" };

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const clock = (seconds, zone) => new Date((seconds + zone) * 1000).toISOString().slice(11, 19);

  // read returns what the attributes of a figure say.
  function read(figure) {
    const { unit, stacked, start, top, zone, values } = figure.dataset;
    const rows = JSON.parse(values);
    if (unit === "bars") {
      const heights = rows.map(([, , n]) => (n === 0 ? 0 : 1 + Math.log10(n)));
      return { unit, rows, top: +top, data: [rows.map((_, i) => i), heights] };
    }
    const times = (rows[0] ?? []).map((_, i) => start / 1000 + i);
    const lines = rows.map((line) => line.slice());
    if (stacked === "true") {
      for (let i = 1; i < lines.length; i++) lines[i] = lines[i].map((v, j) => (v === null ? null : v + (lines[i - 1][j] ?? 0)));
      lines.reverse(); // the highest sum is drawn first, and each lower one over it
    }
    return { unit, rows, top: +top, zone: +zone, stacked: stacked === "true", data: [times, ...lines] };
  }

  const classesOf = (figure) => {
    const marks = [...figure.querySelectorAll(".legend rect")].map((r) => r.getAttribute("class").slice("bar-".length));
    return marks.length ? marks : ["s1"];
  };

  const font = "11px system-ui, sans-serif";
  const axis = () => ({ stroke: colour("soft"), font, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } });

  function overTime(chart, classes, box) {
    const { stacked } = chart.is;
    const line = (name, fill) => ({ stroke: colour(name), width: 1.5, fill, points: { show: false }, spanGaps: false });
    const series = classes.map((name) => (stacked
      ? { ...line(name, colour(name)), width: 0 }
      : line(name, classes.length === 1 ? colour(name) + "28" : undefined)));
    if (stacked) series.reverse();
    return {
      ...size(box),
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, sync: { key: "time", setSeries: false }, points: { size: 6 }, drag: { x: true, y: false, dist: 4 } },
      scales: {
        x: { time: false, range: () => zoom ?? [chart.is.data[0][0], chart.is.data[0].at(-1)] },
        y: { range: () => [0, chart.is.top] },
      },
      axes: [
        { ...axis(), size: 24, gap: 4, space: 64, incrs: [1, 2, 5, 10, 15, 30, 60], values: (u, all) => all.map((v) => clock(v, chart.is.zone)) },
        { ...axis(), size: 58, gap: 6, splits: () => [0, chart.is.top / 2, chart.is.top], values: (u, all) => all.map((v) => formats[chart.is.unit](v)) },
      ],
      series: [{}, ...series],
      hooks: { setCursor: [() => readout(chart)], setSelect: [(u) => select(u)] },
    };
  }

  function histogram(chart, box) {
    return {
      ...size(box),
      padding: [8, 26, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: {
        x: { time: false, range: () => [-0.5, Math.max(1, chart.is.rows.length) - 0.5] },
        y: { range: () => [0, chart.is.top] },
      },
      axes: [
        { ...axis(), grid: { show: false }, size: 24, gap: 4, splits: () => bounds(chart), values: (u, all) => all.map((v) => duration(chart.is.rows[v + 0.5]?.[0] ?? 0)) },
        { ...axis(), size: 58, gap: 6, splits: () => levels(chart.is.top), values: (u, all) => all.map((v) => (v ? apart(10 ** (v - 1)) : "0")) },
      ],
      series: [{}, { stroke: colour("s1"), fill: colour("s1"), width: 0, points: { show: false }, paths: uPlot.paths.bars({ size: [0.85, 40], align: 0 }) }],
      hooks: { setCursor: [() => readout(chart)] },
    };
  }

  // bounds returns where every fourth bucket begins: a power of two. With many, it leaves some out.
  function bounds(chart) {
    const n = chart.is.rows.length;
    const step = 4 * Math.max(1, Math.ceil(n / 4 / (chart.box.clientWidth / 70)));
    const first = chart.is.rows[0]?.[0] === 0 ? 1 : 0;
    const all = [];
    for (let i = first; i < n; i += step) all.push(i - 0.5);
    return all;
  }

  function levels(top) {
    const step = Math.max(1, Math.ceil(top / 4));
    const all = [];
    for (let i = 0; i <= top; i += step) all.push(i);
    return all;
  }

  const size = (box) => ({ width: box.clientWidth, height: box.clientHeight });

  // readout shows a text at the right of the caption, and the values in the legend.
  function readout(chart) {
    const { u, figure, is } = chart;
    const i = u?.cursor.idx;
    const output = figure.querySelector("output");
    const legend = [...figure.querySelectorAll(".legend .v")];
    if (i === null || i === undefined || u.cursor.left < 0) {
      if (chart.shown) {
        output.textContent = "";
        legend.forEach((v, k) => (v.textContent = chart.most[k] ?? ""));
        chart.shown = false;
      }
      return;
    }
    if (!chart.shown) chart.most = legend.map((v) => v.textContent);
    chart.shown = true;
    if (is.unit === "bars") {
      const [from, to, n] = is.rows[i] ?? [0, 0, 0];
      output.textContent = (to ? duration(from) + " to " + duration(to) : "more than " + duration(from)) + ": " + apart(n);
      return;
    }
    const text = (row) => (row[i] === null || row[i] === undefined ? "–" : formats[is.unit](row[i]));
    const at = clock(is.data[0][i], is.zone);
    output.textContent = legend.length ? at : at + "  " + text(is.rows[0]);
    legend.forEach((v, k) => (v.textContent = text(is.rows[k] ?? [])));
  }

  // select is called when the pointer was dragged over a part of a chart.
  function select(u) {
    if (applying || u.select.width < 4) return;
    show([u.posToVal(u.select.left, "x"), u.posToVal(u.select.left + u.select.width, "x")]);
  }

  // show zooms all charts over time. null is the whole window.
  function show(range) {
    if (applying) return;
    applying = true;
    zoom = range;
    whole.classList.toggle("off", !zoom); // its place is kept
    for (const { u, is } of drawn.values()) {
      if (is.unit === "bars") continue;
      u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
      u.setData(is.data); // the range of the scale is asked for again
    }
    applying = false;
  }

  function create(figure, box) {
    const chart = { figure, box, is: read(figure), shown: false, most: [] };
    const classes = classesOf(figure);
    chart.key = keyOf(figure);
    box.replaceChildren();
    const options = chart.is.unit === "bars" ? histogram(chart, box) : overTime(chart, classes, box);
    chart.u = new uPlot(options, chart.is.data, box);
    box.ondblclick = () => show(null);
    box.onkeydown = (e) => key(chart, e);
    box.onblur = () => chart.u.setCursor({ left: -10, top: -10 });
    chart.observer = new ResizeObserver(() => chart.u.setSize(size(box)));
    chart.observer.observe(box);
    drawn.set(box, chart);
  }

  // key moves the crosshair, and zooms around it.
  function key(chart, e) {
    const { u, is } = chart;
    const n = is.data[0].length;
    const i = u.cursor.idx ?? n - 1;
    const go = { ArrowLeft: i - 1, ArrowRight: i + 1, Home: 0, End: n - 1 }[e.key];
    if (go !== undefined) {
      const x = is.data[0][Math.min(Math.max(go, 0), n - 1)];
      u.setCursor({ left: u.valToPos(x, "x"), top: 0 });
    } else if ((e.key === "+" || e.key === "-") && is.unit !== "bars") {
      const [from, to] = [u.scales.x.min, u.scales.x.max];
      const half = ((to - from) / 2) * (e.key === "+" ? 0.5 : 2);
      const at = is.data[0][i];
      const [first, last] = [is.data[0][0], is.data[0].at(-1)];
      show(half * 2 >= last - first ? null : [Math.max(first, at - half), Math.min(last, at + half)]);
    } else if (e.key === "Escape" || e.key === "0") {
      show(null);
    } else {
      return;
    }
    e.preventDefault();
  }

  const keyOf = (figure) => figure.dataset.unit + " " + classesOf(figure).join(" ");

  function remove(box, chart) {
    chart.observer.disconnect();
    chart.u.destroy();
    drawn.delete(box);
  }

  // update makes charts of new figures, and gives the others their new numbers.
  function update() {
    for (const [box, chart] of [...drawn]) if (!box.isConnected) remove(box, chart);
    for (const figure of document.querySelectorAll("figure[data-values]")) {
      const box = figure.querySelector(".canvas");
      let chart = drawn.get(box);
      if (chart && chart.key !== keyOf(figure)) {
        remove(box, chart);
        chart = undefined;
      }
      if (!chart) {
        create(figure, box);
        continue;
      }
      if (chart.values === figure.dataset.values && chart.start === figure.dataset.start) continue;
      [chart.values, chart.start] = [figure.dataset.values, figure.dataset.start];
      chart.is = read(figure);
      chart.shown = false; // the page has just set the texts
      chart.u.setData(chart.is.data);
    }
    const first = [...drawn.values()].find((c) => c.is.unit !== "bars");
    whole.hidden = !first;
    if (zoom && first && zoom[1] < first.is.data[0][0]) show(null); // it has left the window
    for (const chart of drawn.values()) readout(chart);
  }

  dark.addEventListener("change", () => {
    for (const [box, chart] of [...drawn]) remove(box, chart);
    update();
  });
  whole.addEventListener("click", () => show(null));

  return { update, owns: (element) => drawn.has(element), zoomed: () => zoom };
})();
