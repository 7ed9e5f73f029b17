"""The heart: Jiang's STFT-CNN says what a window of the seismic record is, and LRP-ε shows why.

May import mlcore's ground floor (`config`, `waveform`, `windows`, `stft`, `datasets`, `training`, `checkpoint`,
`metrics`), never another system of mlcore. Only `epsilon` and its `zennit_compat` import zennit.
"""
