"""What the proof does not show, so that nobody reads more into it than there is."""

from __future__ import annotations

NOT_SHOWN = (
    "More than one broker: Kafka runs as one node, so a lost replica and an unclean election are not shown.",
    "Disks that lie: PostgreSQL runs with `fsync` off in most tests, and power loss is not simulated anywhere.",
    "Two machines: clocks and networks are played on one machine's loopback, through a proxy.",
    "Retention by a clock that is off: it refuses beyond a minute from the database's, shown as a decision alone.",
    "A log that is truncated or replaced while a worker reads it: that is noticed at the next assignment, a rewind or "
    "a fence, by the record before `next_offset`; where that record is gone too, or none was done yet, by nothing.",
    "A refused alert that is replayed in the moments in which its forwarder does not know whether its death was "
    "committed: it stays pending, seen in the backlog.",
    "Two owners of a partition of mutt.alerts who post at once, one of them a zombie, to a receiver that refuses an "
    "alert of the one and takes it of the other: it may arrive behind later ones of its host, and its row says dead.",
    "Zombies without an owner token: the compare-and-set keeps them from doing harm, and who was fenced waits a second "
    "to be told; a worker frozen while it sends rows of a COPY holds its partition until its successor, whose commit "
    "did not come back in time, ends that session.",
    "Known vulnerabilities, the list of parts and what bandit finds: `make audit` asks for them, with a network; in "
    "`make check` tests show how the answers are judged.",
    "Memory of a worker that somebody who is root reads, and core dumps that the kernel hands to a program: services "
    "allow themselves none, which a handler of the machine may ignore.",
    "Weeks: the longest run is the campaign; slow leaks beyond it are not seen.",
    "The fault you have in mind: `make chaos` takes a seed and a plan; bring your own.",
)
