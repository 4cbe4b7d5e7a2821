"""Accounts, lock-out, sessions, links, tokens, codes."""

import threading
from datetime import timedelta

import pytest

from opendata.db import utc_now
from opendata.errors import AuthenticationError, ConflictError, InvalidInputError, NotFoundError
from opendata.identity import ApiToken, OAuthCode, Role, RolesDenied, SignInLink, WebSession, service
from opendata.ledger.models import LedgerEntry

NOW = utc_now()
GOOD = "correct horse battery"


def test_the_right_password_proves_the_person(database, user):
    actor = service.sign_in(database, "officer", GOOD, now=NOW)
    assert (actor.username, actor.organization_name, actor.roles) == ("officer", "市统计局", {Role.DATA_OFFICER})


@pytest.mark.parametrize(("username", "password"), [("officer", "wrong"), ("nobody", GOOD), ("officer", ""), ("", "")])
def test_every_failure_is_the_same(database, user, username, password):
    with pytest.raises(AuthenticationError) as caught:
        service.sign_in(database, username, password, now=NOW)
    assert str(caught.value) == str(AuthenticationError())


@pytest.mark.parametrize("username", ["officer", "no-such-account"])
def test_five_failures_lock_a_name_whether_or_not_it_exists(database, user, username):
    for _ in range(5):
        with pytest.raises(AuthenticationError):
            service.sign_in(database, username, "wrong", now=NOW)
    with pytest.raises(AuthenticationError):
        service.sign_in(database, username, GOOD, now=NOW + timedelta(minutes=14))
    if username == "officer":
        assert service.sign_in(database, username, GOOD, now=NOW + timedelta(minutes=16)).username == username
        with database.session() as session:
            assert session.query(LedgerEntry).filter_by(type="identity:account:lock").count() == 1


def test_old_failures_are_forgotten(database, user):
    for _ in range(4):
        with pytest.raises(AuthenticationError):
            service.sign_in(database, "officer", "wrong", now=NOW)
    later = NOW + timedelta(hours=2)
    with pytest.raises(AuthenticationError):
        service.sign_in(database, "officer", "wrong", now=later)
    assert service.sign_in(database, "officer", GOOD, now=later)


def test_a_link_signs_in_once(database, user):
    with database.begin() as session:
        secret = service.issue_sign_in_link(session, user, now=NOW)
    with database.begin() as session:
        assert service.redeem_sign_in_link(session, secret, now=NOW).username == "officer"
    with pytest.raises(AuthenticationError), database.begin() as session:
        service.redeem_sign_in_link(session, secret, now=NOW)


def test_a_link_used_at_once_by_many_signs_in_one(database, user):
    with database.begin() as session:
        secret = service.issue_sign_in_link(session, user, now=NOW)
    results = []

    def work():
        try:
            with database.begin() as session:
                service.redeem_sign_in_link(session, secret, now=NOW)
            results.append(True)
        except AuthenticationError:
            results.append(False)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, False, False, True]


@pytest.mark.parametrize("after", [timedelta(hours=1), timedelta(days=3)])
def test_an_expired_link_is_refused(database, user, after):
    with database.begin() as session:
        secret = service.issue_sign_in_link(session, user, now=NOW)
    with pytest.raises(AuthenticationError), database.begin() as session:
        service.redeem_sign_in_link(session, secret, now=NOW + after)


def test_sessions_open_prove_expire_and_close(database, user):
    actor = service.sign_in(database, "officer", GOOD, now=NOW)
    with database.begin() as session:
        signed_in = service.open_session(session, actor, now=NOW)
    with database.session() as session:
        assert service.actor_of_session(session, signed_in.secret, now=NOW) == (actor, signed_in.csrf)
        with pytest.raises(AuthenticationError):
            service.actor_of_session(session, signed_in.secret, now=NOW + timedelta(hours=8))
        with pytest.raises(AuthenticationError):
            service.actor_of_session(session, "guess", now=NOW)
    with database.begin() as session:
        service.close_session(session, signed_in.secret, now=NOW)
    with database.session() as session, pytest.raises(AuthenticationError):
        service.actor_of_session(session, signed_in.secret, now=NOW)
    assert signed_in.secret not in repr(signed_in)


def test_tokens_prove_expire_and_are_revoked(database, user):
    with database.begin() as session:
        secret = service.issue_token(session, user.id, name="curl", now=NOW)
    with database.session() as session:
        assert service.actor_of_token(session, secret, now=NOW).id == user.id
        with pytest.raises(AuthenticationError):
            service.actor_of_token(session, secret, now=NOW + timedelta(days=1))
    with database.begin() as session:
        service.revoke_token(session, secret, now=NOW)
    with database.session() as session, pytest.raises(AuthenticationError):
        service.actor_of_token(session, secret, now=NOW)


@pytest.mark.parametrize(("name", "path", "opens"), [
    ("curl", None, True),
    ("curl", "/api/v1/editions/1/approve", True),
    ("oidc", "/oidc/userinfo", True),
    ("oidc", "/api/v1/me", False),
    ("oidc", None, False),                                    # the raw door gives no path
    ("hub", "/api/v1/workspaces", True),
    ("hub", "/api/v1/workspacesx", False),
    ("hub", "/api/v1/airlock", False),
    ("workspace:w", "/api/v1/workspaces/w/jobs", True),
    ("workspace:w", "/api/v1/workspaces/wx/jobs", False),
    ("workspace:w", "/api/v1/workspaces/other/jobs", False),
    ("workspace:w", "/oidc/userinfo", False),
    ("workspace:w", None, False),
])  # fmt: skip
def test_a_token_made_for_the_sandbox_opens_nothing_else(database, user, name, path, opens):
    with database.begin() as session:
        secret = service.issue_token(session, user.id, name=name, now=NOW)
    with database.session() as session:
        if opens:
            assert service.actor_of_token(session, secret, now=NOW, path=path).id == user.id
        else:
            with pytest.raises(AuthenticationError):
                service.actor_of_token(session, secret, now=NOW, path=path)


def test_expired_secrets_are_pruned_after_a_day(database, user):
    with database.begin() as session:
        old = service.issue_token(session, user.id, name="old", now=NOW - timedelta(days=3))
        fresh = service.issue_token(session, user.id, name="fresh", now=NOW)
        service.open_session(session, service.actor_of(user), now=NOW - timedelta(days=3))
        service.issue_sign_in_link(session, user, now=NOW - timedelta(days=3))
    with database.begin() as session:
        assert service.prune_tokens(session, now=NOW) == 3
    with database.session() as session:
        assert service.actor_of_token(session, fresh, now=NOW).id == user.id
        with pytest.raises(AuthenticationError):
            service.actor_of_token(session, old, now=NOW - timedelta(days=3))


CODE = {"client_id": "hub", "redirect_uri": "http://hub/callback"}


def issue_code(database, user):
    with database.begin() as session:
        return service.issue_code(
            session, **CODE, user_id=user.id, nonce="n", code_challenge="c", scope="openid", now=NOW
        )


def test_a_code_is_redeemed_once_by_its_client(database, user):
    secret = issue_code(database, user)
    for wrong in ({"client_id": "other"}, {"redirect_uri": "http://evil"}):
        with pytest.raises(AuthenticationError), database.begin() as session:
            service.redeem_code(session, secret, **(CODE | wrong), now=NOW)
    with database.begin() as session:
        row = service.redeem_code(session, secret, **CODE, now=NOW)
        assert (row.user_id, row.nonce, row.used_at) == (user.id, "n", NOW)
    with pytest.raises(AuthenticationError), database.begin() as session:
        service.redeem_code(session, secret, **CODE, now=NOW)


def test_a_code_lives_sixty_seconds(database, user):
    secret = issue_code(database, user)
    with pytest.raises(AuthenticationError), database.begin() as session:
        service.redeem_code(session, secret, **CODE, now=NOW + timedelta(seconds=60))


def test_secrets_are_stored_as_hashes(database, user, tmp_path):
    actor = service.actor_of(user)
    with database.begin() as session:
        secrets = [
            service.open_session(session, actor, now=NOW).secret,
            service.issue_token(session, user.id, name="t", now=NOW),
            service.issue_sign_in_link(session, user, now=NOW),
        ]
    secrets.append(issue_code(database, user))
    with database.session() as session:
        stored = [row.id for kind in (WebSession, ApiToken, SignInLink, OAuthCode) for row in session.query(kind)]
    assert all(len(each) == 64 for each in stored)
    database.dispose()
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert not any(secret.encode() in path.read_bytes() for secret in [*secrets, GOOD])


def test_a_deactivated_person_is_nobody_at_once(database, user):
    actor = service.actor_of(user)
    with database.begin() as session:
        signed_in = service.open_session(session, actor, now=NOW)
        token = service.issue_token(session, user.id, name="t", now=NOW)
        link = service.issue_sign_in_link(session, user, now=NOW)
    with database.begin() as session:
        service.deactivate_user(session, service.user_by_username(session, "officer"), actor_id=None, now=NOW)
    with database.begin() as session:
        for act in (
            lambda: service.actor_of_session(session, signed_in.secret, now=NOW),
            lambda: service.actor_of_token(session, token, now=NOW),
            lambda: service.redeem_sign_in_link(session, link, now=NOW),
            lambda: service.authenticate(session, "officer", GOOD, now=NOW),
        ):
            with pytest.raises(AuthenticationError):
                act()


def test_changed_roles_are_seen_with_the_next_request(database, user):
    with database.begin() as session:
        signed_in = service.open_session(session, service.actor_of(user), now=NOW)
        person = service.user_by_username(session, "officer")
        service.change_roles(session, person, ["reviewer"], actor_id="admin")
    with database.session() as session:
        assert service.actor_of_session(session, signed_in.secret, now=NOW)[0].roles == {Role.REVIEWER}


def test_people_and_organisations_are_in_the_ledger(database, user):
    with database.session() as session:
        types = [entry.type for entry in session.query(LedgerEntry).order_by(LedgerEntry.index)]
    assert types == ["identity:organization:create", "identity:user:create"]


ADMINISTRATORS = ["system_admin", "security_admin", "audit_admin"]


@pytest.mark.parametrize("administrator", ADMINISTRATORS)
@pytest.mark.parametrize("other", [str(role) for role in Role])
def test_the_three_administrators_are_separate_persons(administrator, other):
    allowed = administrator == other or {administrator, other} == {"audit_admin", "auditor"}
    if allowed:
        assert service.check_roles([administrator, other]) == {Role(administrator), Role(other)}
    else:
        with pytest.raises(RolesDenied):
            service.check_roles([administrator, other])


def test_working_roles_may_meet_and_unknown_ones_may_not():
    assert len(service.check_roles(["applicant", "researcher", "data_officer", "reviewer"])) == 4
    with pytest.raises(RolesDenied):
        service.check_roles(["root"])


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"username": "officer"}, ConflictError),  # taken
        ({"username": "A B"}, InvalidInputError),  # capitals, space
        ({"username": "../x"}, InvalidInputError),
        ({"password": "short"}, InvalidInputError),
        ({"password": "x" * 201}, InvalidInputError),
        ({"roles": ["system_admin", "applicant"]}, RolesDenied),
    ],
)
def test_malformed_people_are_refused(database, user, change, error):
    values = {"username": "second", "name": "二", "roles": ["applicant"], "password": GOOD} | change
    with pytest.raises(error), database.begin() as session:
        service.create_user(session, organization=user.organization, **values)


def test_malformed_organisations_are_refused(database, user):
    for values, error in [
        ({"name_zh": "市统计局", "kind": "department"}, ConflictError),
        ({"name_zh": "新", "kind": "club"}, InvalidInputError),
        ({"name_zh": " ", "kind": "department"}, InvalidInputError),
    ]:
        with pytest.raises(error), database.begin() as session:
            service.create_organization(session, **values)
    with database.session() as session, pytest.raises(NotFoundError):
        service.user_by_username(session, "nobody")


def test_a_person_without_a_password_cannot_sign_in_by_one(database, user):
    with database.begin() as session:
        organization = service.create_organization(session, name_zh="企业", kind="enterprise")
        person = service.create_user(
            session, username="dev", name="开发", organization=organization, roles=["applicant"]
        )
    with pytest.raises(AuthenticationError):
        service.sign_in(database, "dev", GOOD, now=NOW)
    with database.begin() as session:
        service.set_password(session, service.user_by_username(session, person.username), GOOD)
    assert service.sign_in(database, "dev", GOOD, now=NOW).username == "dev"


def test_every_role_has_a_title_in_both_languages():
    assert all(role.title["zh"] and role.title["en"] for role in Role)


@pytest.mark.parametrize("role", ["data_officer", "reviewer"])
@pytest.mark.parametrize("kind", ["enterprise", "research", "operator"])
def test_deciding_on_a_departments_data_is_for_departments(database, kind, role):
    with database.begin() as session:
        firm = service.create_organization(session, name_zh=f"单位 {kind}", kind=kind)
        with pytest.raises(RolesDenied):
            service.create_user(session, username="someone", name="某人", organization=firm, roles=[role])
        user = service.create_user(session, username="another", name="某人", organization=firm, roles=["applicant"])
        with pytest.raises(RolesDenied):
            service.change_roles(session, user, [role], actor_id=None)
