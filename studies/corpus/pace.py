"""How engagement moves, real and simulated: -> docs/figures/pace.svg."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from damamba.console import run_stage
from damamba.svg import house_style, light, save_svg
from damamba_sim.behaviour.scene import Law
from damamba_sim.oracle.pace import LAGS_S, REAL_AUTOCORRELATION, pace_of

OUT = Path("../../docs/figures/pace.svg")
HOURS, MINUTES, SEED = 50, 17, 0


def main() -> str:
    """Simulate, draw; returns the summary line."""
    pace = pace_of(HOURS, MINUTES, SEED, Law())
    low, high = np.quantile(pace.autocorrelation, [0.25, 0.75], axis=0)
    OUT.parent.mkdir(exist_ok=True)
    with house_style():
        figure = Figure(figsize=(5.6, 2.8), layout="constrained")
        axes = figure.subplots()
        axes.fill_between(LAGS_S, low, high, color=light("blue"), alpha=0.18, linewidth=0)
        axes.plot(LAGS_S, pace.median, "o-", color=light("blue"), label="simulated, median; band: half of the people")
        axes.plot(LAGS_S, REAL_AUTOCORRELATION, "s", color=light("orange"), label="real labels, median of 116 people")
        axes.axhline(0, color=light("muted"), linewidth=0.6)
        axes.set(xscale="log", xlabel="lag, s", ylabel="autocorrelation within a person", ylim=(-0.3, 1))
        axes.set_xticks(LAGS_S, [str(lag) for lag in LAGS_S])
        axes.minorticks_off()
        axes.legend(frameon=False)
        save_svg(figure, OUT)
    medians = " ".join(f"{value:.2f}" for value in pace.median)
    return f"{medians} at {', '.join(map(str, LAGS_S))} s; {pace.std_within:.3f} within, {pace.std_between:.3f} between"


if __name__ == "__main__":
    run_stage("pace", main)
