//! What an int8 number means: requantise, round, saturate.
