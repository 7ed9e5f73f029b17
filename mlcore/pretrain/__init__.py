"""Learning from recordings that nobody has labelled: VNIbCReg (Lee et al. 2022), its family, and what they are worth.

May import mlcore's ground floor (`sections`, `waveform`, `windows`, `splits`, `speed`, `checkpoint`, …), never another
system of mlcore.
"""
