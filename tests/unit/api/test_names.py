from pathlib import Path

import virgate.api.verbs  # noqa: F401  (declares)
from virgate.api.verb import Family, verbs

OLD_NAMES = set((Path(__file__).parent / "names.txt").read_text().split())


def test_every_name_of_the_old_api_is_declared():
    assert len(OLD_NAMES) == 155
    assert set(verbs()) >= OLD_NAMES


def test_every_verb_says_in_a_sentence_what_it_does():
    for found in verbs().values():
        assert found.summary.endswith((".", ":")), found.xmlrpc
        assert len(found.summary) < 130, found.xmlrpc


def test_every_verb_has_a_class_and_name_of_its_own_for_other_wires():
    names = [found.name for found in verbs().values()]
    assert all(name.count(".") == 1 for name in names)
    assert len(set(names)) == len(names)


def test_storage_verbs_are_of_the_storage_family():
    assert verbs()["createVolume"].family is verbs()["getTaskStatus"].family is Family.STORAGE
    assert verbs()["create"].family is verbs()["ping"].family is Family.HOST
    assert sum(verbs()[name].family is Family.STORAGE for name in OLD_NAMES) == 83
