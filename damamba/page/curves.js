// Sessions over time: videos and curves on one clock, zoom, downloads of what is drawn. Needs uPlot; no network.
"use strict";
const damamba = (() => {
  const element = (tag, parent, text, kind) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (kind) made.className = kind;
    parent.append(made);
    return made;
  };
  const button = (parent, text, action) => {
    const made = element("button", parent, text);
    made.type = "button";
    made.addEventListener("click", action);
    return made;
  };
  const clock = (s, digits = 0) => {
    const whole = Math.floor(s * 10 ** digits + 1e-6) / 10 ** digits;
    return `${Math.floor(whole / 60)}:${(whole % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0")}`;
  };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

  async function inflated(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }

  // differences of ten thousandths in two planes of bytes -> numbers, null where missing
  async function unpacked(text, scale) {
    const planes = await inflated(text), n = planes.length / 2, values = new Array(n);
    for (let i = 0, sum = 0; i < n; i++) {
      sum = ((sum + (planes[i] | (planes[n + i] << 8))) << 16) >> 16;
      values[i] = sum === -32768 ? null : sum / scale;
    }
    return values;
  }

  function save(name, text) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, "_");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const csv = (columns) => {
    const names = Object.keys(columns), n = Math.max(...names.map((name) => columns[name].length));
    const quoted = (name) => (/[",\n]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name);
    const rows = [names.map(quoted).join(",")];
    for (let i = 0; i < n; i++) rows.push(names.map((name) => columns[name][i] ?? "").join(","));
    return rows.join("\n") + "\n";
  };

  // a frame of a video on each canvas, taken by the browser; without the video, no canvas
  async function pictures(source, shots) {
    const video = document.createElement("video");
    video.muted = true; video.preload = "auto"; video.src = source;
    for (const { canvas, at } of shots) {
      video.currentTime = at;
      const good = await new Promise((done) => {
        video.addEventListener("seeked", () => done(true), { once: true });
        video.addEventListener("error", () => done(false), { once: true });
      });
      if (!good) return shots.forEach((shot) => shot.canvas.remove());
      const scale = Math.min(canvas.width / video.videoWidth, canvas.height / video.videoHeight);
      const [w, h] = [video.videoWidth * scale, video.videoHeight * scale];
      canvas.getContext("2d").drawImage(video, (canvas.width - w) / 2, (canvas.height - h) / 2, w, h);
      canvas.dataset.drawn = "yes";
    }
  }

  // buttons that carry the name of packed text download it
  function downloads(numbers) {
    for (const one of document.querySelectorAll("button[data-numbers]")) {
      one.addEventListener("click", async () => {
        save(`${one.dataset.numbers}.csv`, new TextDecoder().decode(await inflated(numbers[one.dataset.numbers])));
      });
    }
  }

  function sessions(root, data) {
    const controls = element("div", root, undefined, "controls");
    const previous = button(controls, "←", () => follow(number - 1));
    const label = element("label", controls, "Session ");
    const picker = element("select", label);
    const next = button(controls, "→", () => follow(number + 1));
    const play = button(controls, "Play", toggle);
    button(controls, "Zoom in", () => zoom(0.5, now)).id = "zoom-in";
    button(controls, "Zoom out", () => zoom(2, now)).id = "zoom-out";
    button(controls, "Whole", () => show(0, seconds)).id = "zoom-whole";
    const output = element("output", controls);
    const slider = element("input", root);
    const box = element("div", root);
    previous.id = "previous"; next.id = "next"; play.id = "play"; picker.id = "session"; output.id = "clock";
    slider.id = "time"; box.id = "people";
    previous.setAttribute("aria-label", "Previous session");
    next.setAttribute("aria-label", "Next session");
    slider.type = "range"; slider.min = 0; slider.step = 1 / data.rate_hz;
    slider.setAttribute("aria-label", "Time in the session");
    let people = [], charts = [], seconds = 0, now = 0, number = 0, from = 0, to = 1, opening = 0, showing = false;

    async function open(which) {
      const mine = ++opening;
      number = (which + data.sessions.length) % data.sessions.length;
      const session = data.sessions[number], found = [];
      picker.value = String(number);
      for (const one of session.participants) {
        const curves = await Promise.all(one.curves.map((curve) => unpacked(curve.packed, data.scale)));
        const added = {};
        for (const [name, text] of Object.entries(one.contributions)) added[name] = await unpacked(text, data.scale);
        found.push({ ...one, values: curves, added, peak: one.sound && (await unpacked(one.sound.packed, data.scale)) });
      }
      if (mine !== opening) return; // another one was chosen meanwhile
      close();
      seconds = Math.max(...found.map((one) => one.values[0].length)) / data.rate_hz;
      from = 0; to = seconds; now = 0;
      slider.max = seconds - 1 / data.rate_hz;
      people = found.map(build);
      seek(0);
      root.dataset.ready = session.name;
    }

    function close() {
      delete root.dataset.ready;
      for (const chart of charts) chart.destroy();
      charts = []; people = [];
      play.textContent = "Play";
      box.replaceChildren();
    }

    const title = (one) => one.name + (one.role ? ` (${one.role})` : "");

    function build(one, place) {
      const part = element("section", box, undefined, "person");
      const head = element("header", part);
      element("h3", head, title(one));
      const value = element("span", head, "–", "now");
      const score = (name, number) => (number === null || number === undefined ? "" : `${name} ${number.toFixed(3)}`);
      const scores = [score("CCC", one.ccc), score("within", one.ccc_within)].filter(Boolean).join(", ");
      if (scores) element("span", head, scores, "score");
      const base = `${data.sessions[number].name}-${one.name}`;
      button(head, "CSV", () => save(`${base}.csv`, csv(numbersOf(one)))).setAttribute("aria-label", `Numbers of ${title(one)} as CSV`);
      const made = { one, value, video: null };
      if (one.video) made.video = film(one, part, place, made);
      const side = element("div", part, undefined, "charts");
      scoresChart(one, side);
      lanes(one, side);
      if (one.peak) soundChart(one, side);
      if (Object.keys(one.added).length) contributionsPart(one, side, base);
      worst(one, part);
      return made;
    }

    function numbersOf(one) {
      const n = one.values[0].length, columns = { time_s: Array.from({ length: n }, (_, i) => (i / data.rate_hz).toFixed(2)) };
      one.curves.forEach((curve, k) => { columns[curve.name] = one.values[k]; });
      for (const [cue, gaps] of Object.entries(one.missing)) {
        const seen = new Array(n).fill(1);
        for (const [start, stop] of gaps) seen.fill(0, start, stop);
        columns[cue] = seen;
      }
      return columns;
    }

    function film(one, part, place, made) {
      const video = element("video", part);
      video.preload = data.eager ? "metadata" : "none";
      video.muted = place > 0;
      video.playsInline = true;
      video.setAttribute("aria-label", `video of ${one.name}`);
      video.addEventListener("error", () => {
        made.video = null;
        video.replaceWith(element("p", part, `This browser cannot show ${decodeURIComponent(one.video)}; the curves are complete.`, "lost"));
      });
      video.src = one.video;
      return video;
    }

    // every chart: same times below one another, a click goes there, a drag zooms
    function chart(side, height, series, x, ys, more) {
      const holder = element("div", side, undefined, "chart");
      holder.setAttribute("role", "img");
      holder.setAttribute("aria-label", more.title);
      const axis = { stroke: colour("muted"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
      const made = new uPlot({
        width: Math.max(holder.clientWidth, 120), height, legend: { show: false },
        padding: [6, 18, 0, 0],
        cursor: { sync: { key: root.id }, points: { show: false }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => show(0, seconds) } },
        scales: { x: { time: false, range: () => [from, to] }, y: { range: () => more.range } },
        axes: [
          { ...axis, show: Boolean(more.times), size: 22, values: (_, ticks) => ticks.map((s) => clock(s, to - from < 8 ? 1 : 0)) },
          { ...axis, size: 104, gap: 4, splits: () => more.splits, values: () => more.labels, grid: { ...axis.grid, show: more.grid !== false } },
        ],
        series: [{}, ...series],
        hooks: {
          setSelect: [(u) => {
            if (u.select.width < 4) return;
            const start = u.posToVal(u.select.left, "x");
            show(start, u.posToVal(u.select.left + u.select.width, "x"));
            u.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          }],
          drawClear: more.below ? [more.below] : [],
          draw: more.above ? [more.above] : [],
        },
      }, [x, ...ys], holder);
      made.over.addEventListener("click", (event) => seek(made.posToVal(event.clientX - made.over.getBoundingClientRect().left, "x")));
      made.over.addEventListener("wheel", (event) => {
        if (!event.ctrlKey && !event.shiftKey) return; // the page scrolls
        event.preventDefault();
        const at = made.posToVal(event.clientX - made.over.getBoundingClientRect().left, "x");
        if (event.ctrlKey) zoom(event.deltaY > 0 ? 1.25 : 0.8, at);
        else pan(((event.deltaX || event.deltaY) / made.over.clientWidth) * (to - from));
      }, { passive: false });
      made.playhead = element("div", made.over, undefined, "playhead");
      charts.push(made);
      return made;
    }

    const times = (n, rate_hz) => Array.from({ length: n }, (_, i) => (i + 0.5) / rate_hz);

    function fill(u, start_s, stop_s, top, bottom, paint) {
      const left = Math.max(u.valToPos(start_s, "x", true), u.bbox.left);
      const right = Math.min(u.valToPos(stop_s, "x", true), u.bbox.left + u.bbox.width);
      if (right <= left) return;
      const y = u.valToPos(top, "y", true);
      u.ctx.fillStyle = paint;
      u.ctx.fillRect(left, y, Math.max(right - left, 1), u.valToPos(bottom, "y", true) - y);
    }

    function scoresChart(one, side) {
      const series = one.curves.map((curve) => ({ label: curve.name, stroke: colour(curve.colour), width: curve.name === "annotated" ? 1.4 : 1.8, points: { show: false }, spanGaps: false }));
      const annotated = one.curves.findIndex((curve) => curve.name === "annotated");
      chart(side, 130, series, times(one.values[0].length, data.rate_hz), one.values, {
        title: `engagement of ${title(one)} over time`, range: [0, 1], splits: [0, 0.5, 1], labels: ["0", "0.5", "1"], times: true,
        below: (u) => {
          if (annotated < 0) return;
          let start = -1;
          [...one.values[annotated], 0].forEach((value, i) => {
            if (value === null && start < 0) start = i;
            if (value !== null && start >= 0) { fill(u, start / data.rate_hz, i / data.rate_hz, 1, 0, colour("shade")); start = -1; }
          });
        },
      });
    }

    function lanes(one, side) {
      const rows = Object.entries(one.missing).filter(([, gaps]) => gaps.length)
        .map(([cue, gaps]) => ({ name: `no ${cue}`, paint: "orange", parts: gaps.map((gap) => gap.map((frame) => frame / data.rate_hz)) }));
      if (one.sound && one.sound.turns) rows.unshift({ name: "speaks", paint: "green", parts: one.sound.turns });
      if (!rows.length) return;
      const n = rows.length;
      chart(side, 12 + 15 * n, [{ points: { show: false } }], [0, seconds], [[null, null]], {
        title: `of ${title(one)}: ${rows.map((row) => row.name).join(", ")}`, range: [0, n], grid: false,
        splits: rows.map((_, i) => n - i - 0.5), labels: rows.map((row) => row.name),
        above: (u) => rows.forEach((row, i) => {
          for (const [start, stop] of row.parts) fill(u, start, stop, n - i - 0.2, n - i - 0.8, colour(row.paint));
        }),
      });
    }

    function soundChart(one, side) {
      const peak = one.peak, below = peak.map((value) => (value === null ? null : -value));
      const loudest = Math.max(0.05, ...peak.filter((value) => value !== null));
      const line = { stroke: colour("muted"), width: 1, points: { show: false }, spanGaps: false };
      chart(side, 44, [{ ...line, fill: colour("line") }, { ...line, fill: colour("line") }], times(peak.length, one.sound.rate_hz), [peak, below], {
        title: `sound of ${title(one)}`, range: [-loudest, loudest], splits: [0], labels: ["sound"], grid: false,
      });
    }

    function contributionsPart(one, side, base) {
      const more = element("details", side, undefined, "more");
      element("summary", more, "What each cue and partner adds");
      const names = Object.keys(one.added), key = element("p", more, undefined, "key");
      names.forEach((name, i) => {
        const swatch = element("i", element("span", key, name));
        swatch.style.background = `var(--${data.colours[i % data.colours.length]})`;
        if (i >= data.colours.length) swatch.className = "dashed";
      });
      element("p", more, "Prediction less the prediction of the same model without that cue or partner, means of a second. Above 0: it raises the score.", "note");
      const n = one.added[names[0]].length;
      button(more, "CSV", () => save(`${base}-contributions.csv`, csv({ time_s: Array.from({ length: n }, (_, i) => i), ...one.added }))).setAttribute("aria-label", `Contributions of ${title(one)} as CSV`);
      more.addEventListener("toggle", () => {
        if (!more.open || more.dataset.drawn) return;
        more.dataset.drawn = "yes";
        const largest = Math.max(0.02, ...names.map((name) => Math.max(...one.added[name].map((value) => Math.abs(value ?? 0)))));
        const series = names.map((name, i) => ({ label: name, stroke: colour(data.colours[i % data.colours.length]), dash: i >= data.colours.length ? [5, 3] : undefined, width: 1.5, points: { show: false } }));
        chart(more, 130, series, times(n, 1), names.map((name) => one.added[name]), {
          title: `what each cue and partner adds to the score of ${title(one)}`, range: [-largest, largest],
          splits: [-largest, 0, largest], labels: [`−${largest.toFixed(2)}`, "0", `+${largest.toFixed(2)}`], times: true,
        });
        draw();
      });
    }

    // the longest stretches in which something was missing, with a picture of each from the video itself
    function worst(one, part) {
      const stretches = Object.entries(one.missing).flatMap(([cue, gaps]) => gaps.map(([start, stop]) => ({ cue, start, stop })));
      const joined = new Map();
      for (const { cue, start, stop } of stretches.filter((gap) => gap.stop - gap.start >= data.rate_hz)) {
        const key = `${start}-${stop}`;
        if (joined.has(key)) joined.get(key).cues.push(cue); else joined.set(key, { start, stop, cues: [cue] });
      }
      const longest = [...joined.values()].sort((a, b) => b.stop - b.start - (a.stop - a.start)).slice(0, 8).sort((a, b) => a.start - b.start);
      if (!longest.length) return;
      const more = element("details", part, undefined, "more wide");
      element("summary", more, `Where cues were missing (${longest.length} longest)`);
      const list = element("ul", more, undefined, "worst");
      const shots = longest.map((gap) => {
        const start = gap.start / data.rate_hz, stop = gap.stop / data.rate_hz, item = element("li", list);
        const canvas = one.video && element("canvas", item);
        if (canvas) { canvas.width = 160; canvas.height = 90; canvas.setAttribute("aria-hidden", "true"); }
        button(item, `${clock(start, 1)} – ${clock(stop, 1)}`, () => { show(start - 2, stop + 2); seek(start); });
        element("span", item, `no ${gap.cues.join(", ")}`);
        return { canvas, at: (start + stop) / 2 };
      });
      if (one.video) more.addEventListener("toggle", () => { if (more.open) pictures(one.video, shots.splice(0)); });
    }

    function show(start, stop) {
      const width = Math.min(Math.max(stop - start, 4 / data.rate_hz), seconds);
      from = Math.min(Math.max(start, 0), seconds - width);
      to = from + width;
      root.dataset.from = from; root.dataset.to = to;
      for (const one of charts) one.setScale("x", { min: from, max: to });
      draw();
    }
    const zoom = (factor, at) => { const share = (Math.min(Math.max(at, from), to) - from) / (to - from), width = (to - from) * factor; show(at - share * width, at + (1 - share) * width); };
    const pan = (by) => show(from + by, to + by);

    function seek(s) {
      now = Math.min(Math.max(s, 0), seconds - 1 / data.rate_hz);
      for (const { video } of people) if (video) video.currentTime = Math.min(now, video.duration || now);
      if (now < from || now > to) show(now - (to - from) / 4, now + ((to - from) * 3) / 4);
      draw();
    }

    const playing = () => people.some(({ video }) => video && !video.paused);
    function toggle() {
      const start = !playing();
      for (const { video } of people) if (video) { if (start) video.play().catch(() => {}); else video.pause(); }
      play.textContent = start && playing() ? "Pause" : "Play";
      if (start && !showing) requestAnimationFrame(advance);
    }
    function advance() {
      const leader = people.find(({ video }) => video && !video.paused);
      showing = Boolean(leader);
      if (!leader) { play.textContent = "Play"; return; }
      now = Math.min(leader.video.currentTime, seconds - 1 / data.rate_hz);
      if (now > to) show(now, now + (to - from)); else draw();
      requestAnimationFrame(advance);
    }

    function draw() {
      output.textContent = `${clock(now, 2)} of ${clock(seconds)}`;
      slider.value = now;
      slider.setAttribute("aria-valuetext", output.textContent);
      const frame = Math.min(Math.floor(now * data.rate_hz + 1e-6), Math.round(seconds * data.rate_hz) - 1);
      for (const { one, value } of people) {
        const said = one.curves.map((curve, k) => `${curve.name} ${one.values[k][frame] === null || one.values[k][frame] === undefined ? "–" : one.values[k][frame].toFixed(3)}`);
        const gaps = Object.keys(one.missing).filter((cue) => one.missing[cue].some(([start, stop]) => start <= frame && frame < stop));
        value.textContent = said.join(", ") + (gaps.length ? ` · missing ${gaps.join(", ")}` : "");
      }
      for (const one of charts) {
        one.playhead.hidden = now < from || now > to;
        one.playhead.style.left = `${one.valToPos(now, "x")}px`;
      }
    }

    // #session=NAME is a link to a session
    const linked = () => data.sessions.findIndex((one) => location.hash === `#session=${encodeURIComponent(one.name)}`);
    function follow(which) {
      open(which);
      history.replaceState(null, "", `#session=${encodeURIComponent(data.sessions[number].name)}`);
    }

    data.sessions.forEach((one, i) => {
      const scores = one.participants.map((person) => person.ccc).filter((ccc) => ccc !== undefined).map((ccc) => (ccc === null ? "–" : ccc.toFixed(2)));
      picker.add(new Option([one.name, one.language, scores.length ? `CCC ${scores.join(", ")}` : ""].filter(Boolean).join(" · "), String(i)));
    });
    for (const one of [previous, next, label]) one.hidden = data.sessions.length < 2;
    play.hidden = !data.sessions.some((one) => one.participants.some((person) => person.video));
    picker.addEventListener("change", () => follow(Number(picker.value)));
    slider.addEventListener("input", () => seek(Number(slider.value)));
    window.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, button, a, input, summary, [tabindex]")) return;
      const step = event.shiftKey ? 10 : 1;
      const action = {
        " ": toggle, ArrowLeft: () => seek(now - step), ArrowRight: () => seek(now + step), ",": () => seek(now - 1 / data.rate_hz), ".": () => seek(now + 1 / data.rate_hz),
        "+": () => zoom(0.5, now), "-": () => zoom(2, now), "0": () => show(0, seconds),
      }[event.key];
      if (!action || (event.key === " " && play.hidden)) return;
      event.preventDefault();
      action();
    });
    new ResizeObserver(() => {
      for (const one of charts) one.setSize({ width: Math.max(one.root.parentElement.clientWidth, 120), height: one.height });
      draw();
    }).observe(box);
    window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => open(number));
    window.addEventListener("hashchange", () => { if (linked() >= 0) open(linked()); });
    open(linked() >= 0 ? linked() : data.first);
    if (linked() >= 0) root.scrollIntoView();
  }

  return { sessions, downloads, pictures };
})();
