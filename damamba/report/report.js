// Timelines with a session picker and a readout, and tables that can be sorted. Plain JavaScript; the page holds the series.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("series").textContent);
  const chart = document.getElementById("chart");
  const readout = document.getElementById("readout");
  const picker = document.getElementById("session");
  const LEFT = 74, RIGHT = 10, TOP = 26, HEIGHT = 110, CUE = 11, GAP = 20;
  let session = data.sessions[0];
  let at = 0; // point of the series under the cursor

  const escape = (text) => String(text).replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
  const points = () => session.participants[0].prediction.length;
  const secondsOf = (frame) => frame / data.rate_hz;
  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  const shown = (value) => (value < 0 ? "–" : (value / data.scale).toFixed(3));
  const inner = () => Math.max(chart.clientWidth - LEFT - RIGHT, 100);
  const xOf = (frame) => LEFT + (frame / session.frames) * inner();
  const xAt = (point) => xOf(Math.min((point + 0.5) * session.step, session.frames));
  const rowHeight = (participant) => TOP + HEIGHT + CUE * Object.keys(participant.missing).length + GAP;

  function line(values, top) {
    let path = "", drawing = false;
    values.forEach((value, i) => {
      if (value < 0) { drawing = false; return; }
      path += `${drawing ? "L" : "M"}${xAt(i).toFixed(1)} ${(top + HEIGHT * (1 - value / data.scale)).toFixed(1)}`;
      drawing = true;
    });
    return path;
  }

  function rectangle(start, stop, top, height, kind) {
    const width = Math.max(xOf(stop) - xOf(start), 1);
    return `<rect class="${kind}" x="${xOf(start).toFixed(1)}" y="${top}" width="${width.toFixed(1)}" height="${height}"/>`;
  }

  function unannotated(participant, top) {
    let start = -1, out = "";
    [...participant.label, 0].forEach((value, i) => {
      if (value < 0 && start < 0) start = i;
      if (value >= 0 && start >= 0) {
        out += rectangle(start * session.step, Math.min(i * session.step, session.frames), top, HEIGHT, "unannotated");
        start = -1;
      }
    });
    return out;
  }

  function drawParticipant(participant, y) {
    const top = y + TOP, right = LEFT + inner();
    const within = participant.ccc_within === null ? "" : `, within ${participant.ccc_within.toFixed(3)}`;
    const score = participant.ccc === null ? "CCC undefined" : `CCC ${participant.ccc.toFixed(3)}${within}`;
    let out = `<text class="who" x="${LEFT}" y="${y + 17}">${escape(participant.name)}${participant.role ? ` (${escape(participant.role)})` : ""}</text>`;
    out += `<text x="${right}" y="${y + 17}" text-anchor="end">${score}</text>` + unannotated(participant, top);
    for (const tick of [0, 0.5, 1]) {
      const level = top + HEIGHT * (1 - tick);
      out += `<line class="grid" x1="${LEFT}" x2="${right}" y1="${level}" y2="${level}"/>`;
      out += `<text x="${LEFT - 8}" y="${level + 4}" text-anchor="end">${tick}</text>`;
    }
    out += `<path class="label" d="${line(participant.label, top)}"/><path class="prediction" d="${line(participant.prediction, top)}"/>`;
    Object.entries(participant.missing).forEach(([cue, gaps], i) => {
      const level = top + HEIGHT + 10 + CUE * i;
      out += `<text class="cue" x="${LEFT - 8}" y="${level + 6}" text-anchor="end">${escape(cue)}</text>`;
      out += `<line class="grid" x1="${LEFT}" x2="${right}" y1="${level + 3}" y2="${level + 3}"/>`;
      out += gaps.map(([start, stop]) => rectangle(start, stop, level, 6, "missing")).join("");
    });
    return out;
  }

  function timeAxis(y) {
    const seconds = secondsOf(session.frames);
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600].find((s) => seconds / s <= inner() / 70) || 1800;
    let out = "";
    for (let s = 0; s <= seconds; s += step) {
      out += `<text x="${xOf(s * data.rate_hz)}" y="${y + 12}" text-anchor="middle">${clock(s)}</text>`;
    }
    return out;
  }

  function draw() {
    let y = 0, out = "";
    for (const participant of session.participants) { out += drawParticipant(participant, y); y += rowHeight(participant); }
    out += timeAxis(y - GAP + 8) + `<g id="cursor"></g>`;
    chart.innerHTML = `<svg height="${y + 14}" aria-hidden="true">${out}</svg>`;
    chart.setAttribute("aria-valuemax", points() - 1);
    move(Math.min(at, points() - 1));
  }

  function move(point) {
    at = Math.max(0, Math.min(points() - 1, point));
    const frame = Math.min(Math.floor((at + 0.5) * session.step), session.frames - 1);
    const x = xAt(at), time = `${clock(secondsOf(frame))}.${String(Math.floor((secondsOf(frame) % 1) * 100)).padStart(2, "0")}`;
    let y = 0, marks = "", text = `<strong>${time}</strong>`;
    for (const participant of session.participants) {
      const top = y + TOP;
      marks += `<line class="cursor" x1="${x}" x2="${x}" y1="${top}" y2="${top + HEIGHT}"/>`;
      for (const kind of ["label", "prediction"]) {
        if (participant[kind][at] >= 0) marks += `<circle class="${kind}" r="4" cx="${x}" cy="${top + HEIGHT * (1 - participant[kind][at] / data.scale)}"/>`;
      }
      const gaps = Object.keys(participant.missing).filter((cue) => participant.missing[cue].some(([start, stop]) => start <= frame && frame < stop));
      text += `<span>${escape(participant.name)}: annotated <b>${shown(participant.label[at])}</b>, predicted <b>${shown(participant.prediction[at])}</b>`;
      text += gaps.length ? `, <span class="gap">missing ${gaps.map(escape).join(", ")}</span></span>` : "</span>";
      y += rowHeight(participant);
    }
    document.getElementById("cursor").innerHTML = marks;
    readout.innerHTML = text;
    chart.setAttribute("aria-valuenow", at);
    chart.setAttribute("aria-valuetext", readout.textContent);
  }

  function choose(number) {
    session = data.sessions[(number + data.sessions.length) % data.sessions.length];
    picker.value = String(data.sessions.indexOf(session));
    draw();
  }

  // #session=NAME is a link to a session; the page opens on the median one
  const linked = () => data.sessions.findIndex((one) => location.hash === `#session=${encodeURIComponent(one.name)}`);
  function follow(number) {
    choose(number);
    history.replaceState(null, "", `#session=${encodeURIComponent(session.name)}`);
  }
  function open() {
    if (linked() < 0) return choose(data.first);
    choose(linked());
    document.getElementById("timelines").scrollIntoView();
  }

  data.sessions.forEach((one, i) => {
    const scores = one.participants.map((participant) => (participant.ccc === null ? "–" : participant.ccc.toFixed(2))).join(", ");
    picker.add(new Option(`${one.name}${one.language ? ` · ${one.language}` : ""} · CCC ${scores}`, String(i)));
  });
  picker.addEventListener("change", () => follow(Number(picker.value)));
  document.getElementById("previous").addEventListener("click", () => follow(data.sessions.indexOf(session) - 1));
  document.getElementById("next").addEventListener("click", () => follow(data.sessions.indexOf(session) + 1));
  chart.addEventListener("pointermove", (event) => {
    const share = (event.clientX - chart.getBoundingClientRect().left - LEFT) / inner();
    move(Math.floor((share * session.frames) / session.step));
  });
  chart.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.round(points() / 20));
    const target = {
      ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1,
      PageDown: at - page, PageUp: at + page, Home: 0, End: points() - 1,
    }[event.key];
    if (target === undefined) return;
    event.preventDefault();
    move(target);
  });
  new ResizeObserver(draw).observe(chart);
  window.addEventListener("hashchange", () => { if (linked() >= 0) open(); });
  open();

  const table = document.getElementById("participants");
  const run = document.getElementById("shown-run");
  const bodies = [...table.tBodies];
  run.value = bodies.find((body) => !body.hidden).dataset.run;
  run.addEventListener("change", () => bodies.forEach((body) => { body.hidden = body.dataset.run !== run.value; }));
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => heading.addEventListener("click", () => {
    const descending = heading.getAttribute("aria-sort") === "ascending";
    headings.forEach((other) => other.removeAttribute("aria-sort"));
    heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
    const value = (row) => row.cells[column].textContent.replace("−", "-");
    const compare = (a, b) => {
      const [x, y] = [value(a), value(b)];
      const numbers = heading.classList.contains("number");
      if (numbers && (x === "–" || y === "–")) return (x === "–") - (y === "–"); // undefined goes last, either way
      return (descending ? -1 : 1) * (numbers ? x - y : x.localeCompare(y, undefined, { numeric: true }));
    };
    bodies.forEach((body) => body.append(...[...body.rows].sort(compare)));
  }));
})();
