"""The built-in corpus: simulated conversations with video, voices and annotated engagement.

Four words have one meaning throughout:

- A *channel* is one true variable of a participant's behaviour at 25 Hz, such as ``smile`` or ``speech``.
- The *law* is the set of constants of the behaviour model (`behaviour.scene.Law`).
- A *reader* is a regression that is fitted on some people and tested on others. The oracle's readers predict labels
  from channels; the readers in `rendering` predict channels from face landmarks.
- The *ceiling* is the score of a reader that may use all channels: about the best that a model can reach.

The packages, from the bottom up; each imports only from those before it: `behaviour` (what people do), `faces` and
`voices` (how it looks and sounds), `corpora` (which sessions there are), `recording` (the files of a session), then
`oracle` (the ceiling) and `rendering` (how much of the channels is left in the media).
"""
