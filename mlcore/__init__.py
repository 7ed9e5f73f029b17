"""The machine side of Seisloop: reads recordings, trains, classifies, explains. Knows no Django and is usable alone.

The ground floor (`config`, `errors`, `waveform`, `preprocessing`, `windows`, `stft`, `synthetic`, …) is shared;
the systems above it (`classify`, …) have the same shape and never import each other. Only `waveform` imports obspy.
"""
