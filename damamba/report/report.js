// Sessions over time by curves.js, and tables that can be sorted. Plain JavaScript; the page holds the series.
"use strict";
(() => {
  damamba.sessions(document.getElementById("timeline"), JSON.parse(document.getElementById("series").textContent));

  const worst = document.getElementById("worst");
  worst?.addEventListener("toggle", async () => {
    const shots = {};
    for (const canvas of worst.querySelectorAll("canvas")) (shots[canvas.dataset.source] ??= []).push({ canvas, at: Number(canvas.dataset.at) });
    for (const source of Object.keys(shots)) await damamba.pictures(source, shots[source]);
  }, { once: true });

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
