// Follows a live session: a curve of the last minute for each person. Needs uPlot; asks this machine alone.
"use strict";
(async () => {
  const SECONDS = 60;
  const session = await (await fetch("/session.json")).json();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const element = (tag, parent, kind, text) => {
    const made = document.createElement(tag);
    made.className = kind;
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };
  const state = document.getElementById("state"), clock = document.getElementById("clock"), delay = document.getElementById("delay");
  const times = [], step = 1 / session.rate_hz;
  const people = session.people.map((name, place) => {
    const part = element("section", document.getElementById("people"), "person");
    const head = element("header", part, "");
    element("h2", head, "", name);
    const now = element("output", head, "now", "–"), missing = element("span", head, "missing");
    const box = element("div", part, "chart"), values = [];
    const grid = { stroke: colour("line"), width: 1 }, axis = { stroke: colour("muted"), grid, ticks: grid };
    const shade = (u) => {
      u.ctx.fillStyle = colour("shade");
      values.forEach((value, i) => {
        if (value !== null) return;
        const left = u.valToPos(times[i], "x", true), right = u.valToPos(times[i] + step, "x", true);
        u.ctx.fillRect(left, u.bbox.top, right - left, u.bbox.height);
      });
    };
    const plot = new uPlot({
      width: Math.max(box.clientWidth, 120), height: 150, legend: { show: false }, cursor: { show: false },
      scales: { x: { time: false }, y: { range: [0, 1] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map((tick) => `${tick} s`) }, { ...axis, splits: () => [0, 0.5, 1] }],
      series: [{}, { stroke: colour(session.colours[place % session.colours.length]), width: 2, points: { show: false }, spanGaps: false }],
      hooks: { drawClear: [shade] },
    }, [times, values], box);
    plot.root.setAttribute("role", "img");
    plot.root.setAttribute("aria-label", `engagement of ${name} in the last minute`);
    new ResizeObserver(() => plot.setSize({ width: Math.max(box.clientWidth, 120), height: 150 })).observe(box);
    return { now, missing, values, plot };
  });
  let last = null, due = false;

  function draw() {
    due = false;
    if (!last) return;
    clock.textContent = `${last.time_s.toFixed(2)} s`;
    delay.textContent = last.delay_s === null ? "" : `delay ${last.delay_s.toFixed(2)} s`;
    people.forEach((one, place) => {
      const { engagement, missing } = last.people[place];
      one.now.textContent = engagement === null ? "–" : engagement.toFixed(3);
      one.missing.textContent = missing.length ? `missing ${missing.join(", ")}` : "";
      one.plot.setData([times, one.values], false);
      one.plot.setScale("x", { min: Math.max(last.time_s - SECONDS, 0), max: Math.max(last.time_s, SECONDS) });
    });
  }

  const source = new EventSource("/events");
  source.addEventListener("open", () => {
    state.textContent = "live";
    times.length = 0; // the last minute comes again
    for (const one of people) one.values.length = 0;
  });
  source.addEventListener("message", (event) => {
    last = JSON.parse(event.data);
    while (times.length && times[0] < last.time_s - SECONDS) { times.shift(); for (const one of people) one.values.shift(); }
    times.push(last.time_s);
    people.forEach((one, place) => one.values.push(last.people[place].engagement));
    if (!due) { due = true; requestAnimationFrame(draw); }
  });
  source.addEventListener("end", () => { state.textContent = "ended"; source.close(); });
  source.addEventListener("error", () => { state.textContent = "no connection"; });
})();
