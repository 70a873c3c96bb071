"""Sets of parameters for params.yaml.

A preset sets every key of the parts that it changes, so what was in params.yaml before leaves no trace in them. Two
presets have a part in common or they do not; they never set different keys of one part:

| part | keys | presets |
|---|---|---|
| sizes | `preset`, `window`, `architectures`, `losses`, `model`, `variants`, `runs`, `train`, `evaluate` but its split, `benchmark` | smoke, demo, paper, paper-25, channels |
| simulated corpus | `simulate` but `features_only` | smoke, demo, channels |
| cues | `cues`, `align`, `simulate.features_only` | compact, upstream, multimediate, channels |
| source | `corpus.sources`, `evaluate.split` | compact, multimediate, channels |
"""
