"""Tables, figures and the offline report: drawing and text of numbers that `damamba.scoring` computes."""
