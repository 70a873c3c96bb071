// The page holds the series; `damamba` is of curves.js.
"use strict";
damamba.sessions(document.getElementById("sessions"), JSON.parse(document.getElementById("data").textContent));
