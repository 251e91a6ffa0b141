"""`agents memory push|pull|sync|status|resolve`: memory.md files and the shared memory, which is the embedded one here."""

import json
import os
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Agents
from tests.cli.memories import facts, ids, in_conflict, memory, replace, skill_folder

FACTS = ("use argon2", "videos are 50 fps", "say it in German", "plans have six steps")
AWAY = {"QDRANT_URL": "http://127.0.0.1:9"}
SECRET = "the key is AKIAIOSFODNN7EXAMPLB"


def listed(agents: Agents, *words: str) -> list[str]:
    return [entry["text"] for entry in json.loads(agents("memory", "list", "--json", *words).stdout)]


def test_what_one_folder_pushes_another_pulls(agents: Agents, tmp_path: Path) -> None:
    one, two = skill_folder(tmp_path / "one", *FACTS[:2]), skill_folder(tmp_path / "two")
    pushed = agents("memory", "push", "--dir", str(one))
    assert (pushed.exit_code, pushed.stderr) == (0, "")
    first, second = ids(one)
    assert pushed.stdout.splitlines() == [f"planning  + {first}  {FACTS[0]}", f"planning  + {second}  {FACTS[1]}"]
    pulled = agents("memory", "pull", "--dir", str(two))
    assert pulled.exit_code == 0
    assert sorted(pulled.stdout.splitlines()) == sorted([f"planning  < {first}  {FACTS[0]}", f"planning  < {second}  {FACTS[1]}"])
    assert sorted(facts(two)) == sorted(FACTS[:2])


def test_a_second_sync_finds_nothing_to_do_and_touches_nothing(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", *FACTS)
    agents("memory", "sync", "--dir", str(folder))
    before = (memory(folder), (folder / "memory.md").stat().st_mtime_ns)
    again = agents("memory", "sync", "--dir", str(folder))
    assert (again.exit_code, again.stdout, again.stderr) == (0, "", "In step: 4 entries.\n")
    assert (memory(folder), (folder / "memory.md").stat().st_mtime_ns) == before


def test_a_dry_run_names_each_entry_and_writes_nothing(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", FACTS[0])
    agents("memory", "sync", "--dir", str(folder))
    agents("memory", "add", "planning", FACTS[2])
    replace(folder, FACTS[0], FACTS[1])
    before = memory(folder)
    dry = agents("memory", "sync", "--dir", str(folder), "--dry-run")
    assert dry.exit_code == 0
    assert [line.split(maxsplit=3)[1::2] for line in dry.stdout.splitlines()] == [["~", FACTS[1]], ["<", FACTS[2]]]
    assert memory(folder) == before
    assert sorted(listed(agents)) == sorted([FACTS[0], FACTS[2]])
    done = agents("memory", "sync", "--dir", str(folder))
    assert done.stdout == dry.stdout


def test_one_direction_leaves_the_other_for_later(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", FACTS[0])
    agents("memory", "sync", "--dir", str(folder))
    agents("memory", "add", "planning", FACTS[1])
    with (folder / "memory.md").open("a") as file:
        file.write(f"- {FACTS[2]}\n")
    pushed = agents("memory", "push", "--dir", str(folder))
    assert (pushed.exit_code, pushed.stderr) == (0, f"{folder / 'memory.md'}: 1 change waits for `agents memory sync`.\n")
    assert agents("memory", "push", "--quiet", "--dir", str(folder)).stderr == ""
    assert sorted(facts(folder)) == sorted([FACTS[0], FACTS[2]])
    assert sorted(listed(agents)) == sorted(FACTS[:3])
    assert agents("memory", "pull", "--dir", str(folder)).exit_code == 0
    assert sorted(facts(folder)) == sorted(FACTS[:3])


def test_a_folder_without_a_memory_on_either_side_gets_no_file(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one")
    for command in ("push", "pull", "sync", "status"):
        assert agents("memory", command, "--dir", str(folder)).exit_code == 0
    assert [path.name for path in folder.iterdir()] == ["SKILL.md"]


def test_without_dirs_the_usual_places_are_taken(agents: Agents, tmp_path: Path, skills_dir: Path) -> None:
    (skills_dir / "echo" / "memory.md").write_text("- of the cloud\n")
    skill_folder(tmp_path / ".claude" / "skills", "of the project", name="here")
    skill_folder(tmp_path / "home" / ".claude" / "skills", "of the person", name="mine")
    assert agents("memory", "sync").exit_code == 0
    found = {entry["skill"]: entry["text"] for entry in json.loads(agents("memory", "list", "--json").stdout)}
    assert found == {"echo": "of the cloud", "here": "of the project", "mine": "of the person"}


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("---\nname: other\n---\n", "other"),
        ("\ufeff---\r\nname: 'other'  # a note\r\n---\r\n", "other"),
        ("---\ndescription: 'no: name'\n---\n", "folder"),
        ("---\nname: [broken\n---\n", "folder"),
        ("---\nname: a name with spaces\n---\n", "folder"),
        ("No frontmatter.\nname: other\n", "folder"),
        ("", "folder"),
    ],
)
def test_a_skill_is_named_by_its_frontmatter_or_else_its_folder(agents: Agents, tmp_path: Path, head: str, name: str) -> None:
    folder = skill_folder(tmp_path / "one", FACTS[0], name="folder", declared="SKILL.md")
    (folder / "SKILL.md").write_bytes(head.encode())
    agents("memory", "push", "--dir", str(tmp_path / "one"))
    assert [entry["skill"] for entry in json.loads(agents("memory", "list", "--json").stdout)] == [name]


def test_only_the_skills_that_are_named_are_synced(agents: Agents, tmp_path: Path) -> None:
    skill_folder(tmp_path / "all", FACTS[0], name="planning")
    skill_folder(tmp_path / "all", FACTS[1], name="media", declared="info.md")
    assert agents("memory", "sync", "--dir", str(tmp_path / "all"), "--skill", "media").exit_code == 0
    assert listed(agents) == [FACTS[1]]


def test_a_wrong_name_or_place_is_wrong_usage_and_told_with_what_is_near(agents: Agents, tmp_path: Path) -> None:
    skill_folder(tmp_path / "all", FACTS[0])
    wrong = agents("memory", "sync", "--dir", str(tmp_path / "all"), "--skill", "planing")
    assert (wrong.exit_code, wrong.stdout) == (2, "")
    assert "did you mean planning?" in wrong.stderr
    nowhere = agents("memory", "sync", "--dir", str(tmp_path / "nowhere"))
    assert (nowhere.exit_code, "is not a folder" in nowhere.stderr) == (2, True)
    assert agents("memory", "sync", "--no-such-option").exit_code == 2
    assert listed(agents) == []


def test_two_folders_of_one_skill_are_in_step_after_one_sync(agents: Agents, tmp_path: Path) -> None:
    folders = [skill_folder(tmp_path / f"{number}", FACTS[number]) for number in range(3)]
    places = [word for folder in folders for word in ("--dir", str(folder))]
    assert agents("memory", "sync", *places).exit_code == 0
    assert [sorted(facts(folder)) for folder in folders] == [sorted(FACTS[:3])] * 3
    assert agents("memory", "status", *places).exit_code == 0


def test_a_conflict_keeps_both_texts_and_is_told(agents: Agents, tmp_path: Path) -> None:
    _, two = in_conflict(agents, tmp_path)
    assert sorted(facts(two)) == ["use argon2", "use scrypt"]
    again = agents("memory", "sync", "--dir", str(two))
    assert again.exit_code == 0
    assert again.stderr.splitlines() == [f"{two / 'memory.md'}: 1 conflict stands; `agents memory status` shows both sides."]
    shown = agents("memory", "status", "--dir", str(two))
    main, sibling = ids(two)
    assert shown.exit_code == 1
    assert shown.stdout.splitlines()[-4:] == [
        f"planning {main} was changed on both sides:",
        "  theirs  use argon2",
        "  mine    use scrypt",
        f"  Delete one of the two lines, or: agents memory resolve planning {sibling} --keep mine|theirs|both",
    ]


def test_a_conflict_that_was_met_elsewhere_is_told_where_it_arrives_and_only_once(agents: Agents, tmp_path: Path) -> None:
    one, two = in_conflict(agents, tmp_path)
    for words, code in ((("sync", "--dry-run"), 1), (("pull",), 1), (("pull",), 0), (("sync",), 0)):
        assert agents("memory", *words, "--dir", str(one)).exit_code == code
    assert sorted(facts(one)) == ["use argon2", "use scrypt"]
    both = (skill_folder(tmp_path / "three"), skill_folder(tmp_path / "four"))
    assert agents("memory", "sync", "--dir", str(both[0]), "--dir", str(both[1])).exit_code == 1
    plain = skill_folder(tmp_path / "plain", "use argon2")  # known by its text
    for dry in (("--dry-run",), ()):
        arrived = json.loads(agents("memory", "sync", *dry, "--json", "--dir", str(plain)).stdout)
        assert (arrived["code"], arrived["memories"][0]["new_conflicts"]) == (1, [ids(one)[1]])
    replace(two, "use scrypt", "use yescrypt")
    for folder in (two, one):
        assert agents("memory", "sync", "--dir", str(folder)).exit_code == 0
    assert sorted(facts(one)) == ["use argon2", "use yescrypt"]


def test_the_text_that_is_left_of_a_conflict_is_an_entry_like_any_other(agents: Agents, tmp_path: Path) -> None:
    _, two = in_conflict(agents, tmp_path)
    (two / "memory.md").write_text("".join(line for line in memory(two).splitlines(keepends=True) if "use argon2" not in line))
    three = skill_folder(tmp_path / "three")
    for folder in (two, three):
        assert agents("memory", "sync", "--dir", str(folder)).exit_code == 0
        assert facts(folder) == ["use scrypt"]


def test_a_conflict_that_was_settled_here_and_stands_again_by_an_edit_elsewhere_is_told(agents: Agents, tmp_path: Path) -> None:
    one, two = in_conflict(agents, tmp_path)
    agents("memory", "sync", "--dir", str(one))
    (two / "memory.md").write_text("".join(line for line in memory(two).splitlines(keepends=True) if "use argon2" not in line))
    replace(one, "use argon2", "use argon2id")
    for folder, code in ((two, 0), (one, 0), (two, 1), (two, 0)):
        assert agents("memory", "sync", "--dir", str(folder)).exit_code == code
    assert sorted(facts(two)) == ["use argon2id", "use scrypt"]


@pytest.mark.parametrize(
    ("keep", "left"), [("mine", ["use scrypt"]), ("theirs", ["use argon2"]), ("both", ["use argon2", "use scrypt"])]
)
@pytest.mark.parametrize("which", [0, 1])
def test_a_conflict_is_settled_in_the_file_and_everywhere(
    agents: Agents, tmp_path: Path, keep: str, left: list[str], which: int
) -> None:
    one, two = in_conflict(agents, tmp_path)
    named = ids(two)[which]
    settled = agents("memory", "resolve", "planning", named, "--keep", keep, "--dir", str(two))
    assert settled.exit_code == 0, settled.stderr
    assert sorted(facts(two)) == left
    assert agents("memory", "sync", "--dir", str(one)).exit_code == 0
    assert sorted(facts(one)) == left == sorted(listed(agents))
    assert agents("memory", "status", "--dir", str(one), "--dir", str(two)).exit_code == 0
    assert not any("~" in entry for entry in ids(two))
    gone = agents("memory", "resolve", "planning", named, "--keep", keep, "--dir", str(two))
    assert (gone.exit_code, "there is none" in gone.stderr) == (1, True)


def test_a_conflict_is_settled_by_deleting_a_line(agents: Agents, tmp_path: Path) -> None:
    one, two = in_conflict(agents, tmp_path)
    kept = [line for line in memory(two).splitlines(keepends=True) if "use argon2" not in line]
    (two / "memory.md").write_text("".join(kept))
    for folder in (two, one):
        assert agents("memory", "sync", "--dir", str(folder)).exit_code == 0
        assert facts(folder) == ["use scrypt"]
    assert agents("memory", "status", "--dir", str(one), "--dir", str(two)).exit_code == 0


def test_a_file_that_was_emptied_is_refused_by_name_unless_forced(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", *FACTS)
    agents("memory", "sync", "--dir", str(folder))
    (folder / "memory.md").write_text("")
    refused = agents("memory", "sync", "--dir", str(folder))
    assert (refused.exit_code, memory(folder)) == (3, "")
    assert "error: planning: StorageEmptied: The memory.md of planning has no entry" in refused.stderr
    assert len(listed(agents)) == 4
    assert agents("memory", "pull", "--force", "--dir", str(folder)).exit_code == 0
    assert sorted(facts(folder)) == sorted(FACTS)
    (folder / "memory.md").unlink()
    assert agents("memory", "sync", "--force", "--dir", str(folder)).exit_code == 0
    assert listed(agents) == []


def test_a_memory_out_of_reach_is_said_and_changes_nothing(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", FACTS[0])
    before = memory(folder)
    for command in ("push", "pull", "sync", "status"):
        away = agents("memory", command, "--dir", str(folder), **AWAY)
        assert (away.exit_code, away.stdout) == (5, ""), command
        assert away.stderr.startswith("error: planning: "), command
    assert memory(folder) == before
    assert agents("memory", "list", **AWAY).exit_code == 5


def test_one_skill_that_fails_does_not_stop_the_others(agents: Agents, tmp_path: Path) -> None:
    emptied = skill_folder(tmp_path / "all", *FACTS, name="a-emptied")
    agents("memory", "sync", "--dir", str(tmp_path / "all"))
    (emptied / "memory.md").write_text("")
    skill_folder(tmp_path / "all", FACTS[0], name="b-fine")
    (skill_folder(tmp_path / "all", name="c-unreadable") / "memory.md").write_bytes(b"\xff\xfe- x")
    done = agents("memory", "sync", "--dir", str(tmp_path / "all"))
    assert done.exit_code == 3
    assert listed(agents, "--skill", "b-fine") == [FACTS[0]]
    assert "StorageEmptied" in done.stderr
    assert "not UTF-8" in done.stderr


def test_a_folder_that_cannot_be_looked_into_does_not_stop_the_others(agents: Agents, tmp_path: Path) -> None:
    strange = skill_folder(tmp_path / "all", name="a-strange")
    (strange / "SKILL.md").unlink()
    (strange / "SKILL.md").symlink_to("n" * 300)  # nobody, not even root, can say what that is
    (strange / "memory.md").mkdir()
    skill_folder(tmp_path / "all", FACTS[0], name="b-fine")
    done = agents("memory", "sync", "--dir", str(tmp_path / "all"))
    assert done.exit_code == 2
    assert done.stderr.startswith(f"error: a-strange: {strange / 'memory.md'} cannot be read (Is a directory).")
    assert listed(agents) == [FACTS[0]]


def test_a_folder_whose_name_is_not_utf_8_is_named_unless_its_frontmatter_has_a_name(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "all", FACTS[0])
    odd = folder.rename(os.fsdecode(os.fsencode(tmp_path / "all") + b"/pl\xff"))
    assert agents("memory", "sync", "--dir", str(tmp_path / "all")).exit_code == 0
    (odd / "SKILL.md").write_text("Plan.\n")
    done = agents("memory", "sync", "--dir", str(tmp_path / "all"))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: The name of the folder 'pl\\udcff' in {tmp_path / 'all'} is not UTF-8. Rename")


def test_a_memory_that_is_no_skills_is_named_and_not_shared(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "all", FACTS[0])
    (folder / "SKILL.md").unlink()
    for command in ("sync", "status"):
        done = agents("memory", command, "--dir", str(tmp_path / "all"))
        assert done.exit_code == 0
        assert done.stderr.startswith(f"{folder / 'memory.md'}: not shared: there is neither a SKILL.md nor an info.md beside it")
    assert listed(agents) == []


def test_a_secret_stays_home_and_is_named_without_being_shown(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", FACTS[0], SECRET)
    done = agents("memory", "sync", "--dir", str(folder))
    assert done.exit_code == 0
    assert f"{folder / 'memory.md'}:4: not shared: " in done.stderr
    assert listed(agents) == [FACTS[0]]
    shown, told = agents("memory", "status", "--dir", str(folder)), agents("memory", "sync", "--json", "--dir", str(folder))
    assert (shown.exit_code, shown.stdout.splitlines()[1].split()[5]) == (0, "1")
    assert shown.stdout.splitlines()[-1] == done.stderr.splitlines()[0]
    [step] = json.loads(told.stdout)["memories"][0]["steps"]
    assert (step["deed"], step["text"], bool(step["note"])) == ("hold", "", True)
    assert not any("AKIA" in text for result in (done, shown, told) for text in (result.stdout, result.stderr))
    assert SECRET in facts(folder)


def test_an_entry_that_is_held_here_does_not_count_and_a_change_elsewhere_is_said(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", *FACTS)
    agents("memory", "sync", "--dir", str(folder))
    replace(folder, FACTS[0], SECRET)
    held = agents("memory", "sync", "--dir", str(folder))
    assert (held.exit_code, held.stderr.splitlines()[-1]) == (0, "In step: 3 entries.")
    assert "elsewhere" not in held.stderr
    agents("memory", "edit", "planning", ids(folder)[0], FACTS[0].upper())
    again = agents("memory", "sync", "--dir", str(folder))
    assert (again.exit_code, again.stderr.splitlines()[-1]) == (0, "In step: 3 entries.")
    assert "; elsewhere it was changed meanwhile" in again.stderr
    assert SECRET in facts(folder)


def test_claude_code_s_own_memory_is_taken_only_when_asked_for(agents: Agents, tmp_path: Path) -> None:
    slug = re.sub("[^A-Za-z0-9]", "-", str(tmp_path.resolve()))
    folder = tmp_path / "home" / ".claude" / "projects" / slug / "memory"
    folder.mkdir(parents=True)
    (folder / "MEMORY.md").write_text("- [Hashes](hashes.md): argon2\n")
    (folder / "hashes.md").write_text("Use argon2.\n")
    assert agents("memory", "sync").exit_code == 0
    assert listed(agents) == []
    done = agents("memory", "sync", "--auto-memory")
    assert (done.exit_code, [line.split()[1] for line in done.stdout.splitlines()]) == (0, ["+", "+"])
    assert done.stdout.startswith("auto-memory-")
    assert sorted(listed(agents)) == ["File: hashes.md\nUse argon2.", "[Hashes](hashes.md): argon2"]
    assert (folder / "MEMORY.md").read_text() == "- [Hashes](hashes.md): argon2\n"
    (folder / "hashes.md").write_text("The key is AKIAIOSFODNN7EXAMPLB.\n")
    held = agents("memory", "status", "--auto-memory")
    assert (held.exit_code, f"{folder / 'hashes.md'}: not shared: " in held.stdout, "AKIA" in held.stdout) == (0, True, False)


def test_quiet_says_only_what_needs_attention(agents: Agents, tmp_path: Path) -> None:
    folder = skill_folder(tmp_path / "one", *FACTS)
    done = agents("memory", "push", "--quiet", "--dir", str(folder))
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "")
    (folder / "memory.md").write_text("")
    refused = agents("memory", "push", "--quiet", "--dir", str(folder))
    assert (refused.exit_code, refused.stdout, "StorageEmptied" in refused.stderr) == (3, "", True)


def test_json_tells_all_that_was_done(agents: Agents, tmp_path: Path) -> None:
    one, two = in_conflict(agents, tmp_path)
    (tmp_path / "broken").mkdir()
    report = json.loads(agents("memory", "status", "--json", "--dir", str(two), "--dir", str(one)).stdout)
    assert report["code"] == 1
    first, second = report["memories"]
    main, sibling = ids(two)
    assert first["conflicts"] == [{"id": main, "text": "use argon2", "sibling": sibling, "other": "use scrypt"}]
    assert (first["skill"], first["entries"], first["steps"], first["error"]) == ("planning", 2, [], None)
    assert [(step["deed"], step["id"], step["text"]) for step in second["steps"]] == [("fetch", sibling, "use scrypt")]
    away = json.loads(agents("memory", "sync", "--json", "--dir", str(one), **AWAY).stdout)
    assert (away["code"], away["memories"][0]["error"]["type"], away["memories"][0]["steps"]) == (5, "Unavailable", [])
