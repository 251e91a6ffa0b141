"""The client of a modal-invoke server: Python ≥ 3.9, standard library only.

cli          the command line: declares and parses
commands     one function per command
watch        follows a task to its end; Ctrl-C
events       a task's event stream, reconnected
server       the HTTP contract, call by call
transport    one HTTP request: connection, redirects, retries, errors
artifacts    downloads, named safely
questions    what tasks ask, and what they are told
inbox        what ended or was asked while nobody looked
memory       finds what skills have learned, and teaches them
memory_hook  the shared memory, when a session of Claude Code begins and ends
settings     URL and token, from the environment or the file
output       what is shown, on stdout and stderr
stop         how the program ends: exit codes
"""

__version__ = "0.1.0"
