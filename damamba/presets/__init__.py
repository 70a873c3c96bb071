"""Sets of parameters for params.yaml.

A preset consists of whole parts and sets every key of each, so nothing that params.yaml had in them before remains, and
the result depends only on the last preset of each part:

part             | keys                                                              | presets
---------------- | ----------------------------------------------------------------- | --------------------------------
sizes            | preset, window, architectures, losses, model, variants, runs,     | demo, smoke, paper, paper-25,
                 | train, evaluate (without split), benchmark                        | long, channels, multimediate
simulated corpus | simulate (without features_only)                                  | demo, smoke, channels
cues             | cues, align, simulate.features_only                               | compact, real, upstream,
                 |                                                                   | foundation, channels,
                 |                                                                   | multimediate
source           | corpus.sources, evaluate.split                                    | simulated, multimediate, channels

A preset file may name a `base`, another preset whose values it takes unless it sets its own.
"""
