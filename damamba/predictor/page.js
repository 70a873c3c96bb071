// Videos and curves on one clock. Plain JavaScript; the page holds the series.
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const picker = document.getElementById("session");
  const span = document.getElementById("span");
  const play = document.getElementById("play");
  const output = document.getElementById("clock");
  const box = document.getElementById("people");
  const LEFT = 30, BOTTOM = 18, CUE = 7;
  let people = [], seconds = 0, now = 0, from = 0;

  const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const element = (tag, parent, text) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    parent.append(made);
    return made;
  };
  const shownSpan = () => Number(span.value) || seconds;
  const playing = () => people.some((one) => one.alive && !one.video.paused);

  function open(session) {
    box.replaceChildren();
    people = session.people.map((person) => {
      const part = element("section", box);
      part.className = "person";
      const head = element("header", part);
      element("h2", head, person.name);
      const value = element("span", head, "–");
      value.className = "now";
      const link = element("a", head, "CSV");
      link.href = person.csv;
      link.download = "";
      const video = element("video", part);
      video.preload = "metadata";
      video.muted = person !== session.people[0];
      video.playsInline = true;
      video.setAttribute("aria-label", `video of ${person.name}`);
      const one = { person, video, value, alive: true };
      video.addEventListener("error", () => {
        one.alive = false;
        const lost = document.createElement("p");
        lost.className = "lost";
        lost.textContent = `This browser cannot show ${decodeURIComponent(person.video)}; the curve is complete.`;
        video.replaceWith(lost);
      });
      video.src = person.video;
      one.canvas = element("canvas", part);
      one.canvas.setAttribute("role", "img");
      one.canvas.setAttribute("aria-label", `engagement of ${person.name} over time`);
      one.canvas.addEventListener("click", (event) => {
        const x = event.clientX - one.canvas.getBoundingClientRect().left - LEFT;
        seek(from + (Math.max(x, 0) / (one.canvas.clientWidth - LEFT)) * shownSpan());
      });
      return one;
    });
    seconds = Math.max(...session.people.map((person) => person.engagement.length)) / data.rate_hz;
    seek(0);
  }

  function seek(to) {
    now = Math.min(Math.max(to, 0), seconds);
    for (const one of people) if (one.alive) one.video.currentTime = Math.min(now, one.video.duration || now);
    draw();
  }

  function toggle() {
    const start = !playing();
    for (const one of people) if (one.alive) { if (start) one.video.play().catch(() => {}); else one.video.pause(); }
    play.textContent = start ? "Pause" : "Play";
    if (start) requestAnimationFrame(follow);
  }

  function follow() {
    const leader = people.find((one) => one.alive && !one.video.paused);
    if (!leader) { play.textContent = "Play"; return; }
    now = leader.video.currentTime;
    draw();
    requestAnimationFrame(follow);
  }

  function draw() {
    const width = shownSpan();
    if (now < from || now > from + width || width === seconds) {
      from = width === seconds ? 0 : Math.min(Math.max(now - width / 4, 0), Math.max(seconds - width, 0));
    }
    output.textContent = `${clock(now)} of ${clock(seconds)}`;
    people.forEach((one, i) => drawPerson(one, i));
  }

  function drawPerson(one, number) {
    const { canvas, person } = one, ratio = window.devicePixelRatio || 1, width = shownSpan();
    const w = canvas.clientWidth, h = canvas.clientHeight;
    canvas.width = w * ratio;
    canvas.height = h * ratio;
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const cues = Object.entries(person.missing).filter(([, gaps]) => gaps.length);
    const base = h - BOTTOM - CUE * cues.length - 4;
    const x = (s) => LEFT + ((s - from) / width) * (w - LEFT), y = (v) => 6 + (1 - v) * (base - 6);
    c.font = "11px system-ui, sans-serif";
    c.fillStyle = colour("muted");
    c.strokeStyle = colour("line");
    for (const tick of [0, 0.5, 1]) {
      c.beginPath(); c.moveTo(LEFT, y(tick)); c.lineTo(w, y(tick)); c.stroke();
      c.fillText(String(tick), 4, y(tick) + 4);
    }
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800].find((s) => width / s <= (w - LEFT) / 60) || 3600;
    c.textAlign = "center";
    for (let s = Math.ceil(from / step) * step; x(s) <= w - 14; s += step) c.fillText(clock(s), x(s), h - 4);
    cues.forEach(([cue, gaps], i) => {
      c.fillStyle = colour("orange");
      for (const [start, stop] of gaps) {
        const a = Math.max(x(start / data.rate_hz), LEFT), b = Math.min(x(stop / data.rate_hz), w);
        if (b > a) c.fillRect(a, base + 4 + CUE * i, Math.max(b - a, 1), CUE - 2);
      }
    });
    const first = Math.max(Math.floor(from * data.rate_hz), 0);
    const last = Math.min(Math.ceil((from + width) * data.rate_hz), person.engagement.length);
    const stride = Math.max(1, Math.floor((last - first) / (2 * (w - LEFT))));
    c.strokeStyle = colour(data.colours[number % data.colours.length]);
    c.lineWidth = 1.8;
    c.beginPath();
    let drawing = false;
    for (let i = first; i < last; i += stride) {
      const value = person.engagement[i];
      if (value < 0) { drawing = false; continue; }
      const px = x((i + 0.5) / data.rate_hz), py = y(value / data.scale);
      if (drawing) c.lineTo(px, py); else c.moveTo(px, py);
      drawing = true;
    }
    c.stroke();
    c.strokeStyle = colour("ink");
    c.lineWidth = 1;
    c.beginPath(); c.moveTo(x(now), 0); c.lineTo(x(now), h - BOTTOM); c.stroke();
    const at = person.engagement[Math.min(Math.floor(now * data.rate_hz), person.engagement.length - 1)];
    one.value.textContent = at < 0 ? "–" : (at / data.scale).toFixed(2);
  }

  data.sessions.forEach((session, i) => { element("option", picker, session.name).value = i; });
  picker.addEventListener("change", () => open(data.sessions[Number(picker.value)]));
  span.addEventListener("change", draw);
  play.addEventListener("click", toggle);
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  window.addEventListener("keydown", (event) => {
    if (event.target.closest("select, button, a")) return;
    const step = event.shiftKey ? 10 : 1;
    if (event.key === " ") toggle();
    else if (event.key === "ArrowLeft") seek(now - step);
    else if (event.key === "ArrowRight") seek(now + step);
    else return;
    event.preventDefault();
  });
  open(data.sessions[0]);
})();
