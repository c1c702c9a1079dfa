# Every task of the project. CI runs the same scripts, so what passes here passes there.

# Lists the tasks.
default:
    @just --list --unsorted

# What to run before a commit: format, style, lints, tests, pages.
check:
    .ci/run fmt style clippy test doc

# The whole test suite.
test:
    .ci/test

# Kills, power cuts, failing disks, with their full counts; `just proof soak` for many more.
proof counts="":
    .ci/proof {{counts}}

# One fault after the other at the place of a rule: which test finds it? `just planted no_dedupe`.
planted *faults:
    .ci/planted {{faults}}

# The seeded world; `just sim 42` replays one seed.
sim seed="":
    .ci/sim {{seed}}

# Every fuzz target for a share of some seconds; `just fuzz 600`.
fuzz seconds="60":
    .ci/fuzz {{seconds}}

# Micro-benchmarks; `just bench decode` runs those whose name has the word in it.
bench filter="":
    cargo bench -p cekr-benches -- {{filter}}

# The story, told by a release build.
demo:
    .ci/demo

# The website in a real browser; `SHOTS=DIR just browser` keeps pictures.
browser:
    .ci/browser

# The API against its own description, by schemathesis.
schema:
    .ci/schema

# First programs of a newcomer, one after another.
examples:
    .ci/examples

# The pages of every crate, links checked.
doc:
    .ci/doc

# Licences, advisories, duplicates and sources of what we depend on.
deny:
    .ci/deny

# Everything that CI runs.
ci:
    .ci/run

# What takes longer than a change may wait for.
soak:
    .ci/soak
