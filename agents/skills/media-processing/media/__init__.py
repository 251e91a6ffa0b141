"""The parts of the program: what is asked for, how ffmpeg does it, and what came out."""
