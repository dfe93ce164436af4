"""The forms of service administration, with the field names that XEP-0133 §8.2 reserves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from chirrup.core.jid import JID
from chirrup.ext.administration import NS
from chirrup.ext.forms.declared import Questions, form, question

MaxItems = Literal["25", "50", "75", "100", "150", "200", "none"]
Delay = Literal["0", "30", "60", "90", "120", "180", "240", "300"]


def _accounts(label: str) -> Any:
    return question(label, required=True)


def _delay(label: str) -> Any:
    return question(
        label,
        default="30",
        labels={
            "0": "Now",
            "30": "30 seconds",
            "60": "60 seconds",
            "90": "90 seconds",
            "120": "2 minutes",
            "180": "3 minutes",
            "240": "4 minutes",
            "300": "5 minutes",
        },
    )


@form(NS, title="Adding a User")
class AddUser(Questions):
    accountjid: JID = question("Address of the account to be added")
    password: str = question("Password of the account", private=True)
    password_verify: str = question("The password again", var="password-verify", private=True)


@form(NS, title="Deleting Users", instructions="The accounts and all that they own are removed for good.")
class DeleteUser(Questions):
    accountjids: tuple[JID, ...] = _accounts("Addresses of the accounts to delete")


@form(NS, title="Disabling Users", instructions="Disabled accounts are kept, but nobody can log in to them.")
class DisableUser(Questions):
    accountjids: tuple[JID, ...] = _accounts("Addresses of the accounts to disable")


@form(NS, title="Re-Enabling Users")
class ReenableUser(Questions):
    accountjids: tuple[JID, ...] = _accounts("Addresses of the accounts to enable again")


@form(NS, title="Ending Sessions", instructions="With a resource, only that session of the account ends.")
class EndSession(Questions):
    accountjids: tuple[JID, ...] = _accounts("Addresses whose sessions are to end")


@form(NS, title="Changing a User's Password")
class ChangePassword(Questions):
    accountjid: JID = question("Address of the account")
    password: str = question("The new password", private=True)


@form(NS, title="Statistics of a User")
class OneUser(Questions):
    accountjid: JID = question("Address of the account")


@form(NS, title="Roster of a User")
class RosterOf(Questions):
    accountjids: tuple[JID, ...] = _accounts("Address of the account")


@form(NS, title="Last Log-in of a User")
class LastLogin(Questions):
    accountjids: tuple[JID, ...] = _accounts("Address of the account")
    lastlogin: datetime | None = question("When it was logged in to last")


@form(NS, title="Statistics of a User")
class UserStatistics(Questions):
    ipaddresses: tuple[str, ...] = question("IP addresses of its sessions")
    rostersize: int = question("Contacts in its roster")
    onlineresources: tuple[str, ...] = question("Resources of its sessions")


@form(NS)
class Registered(Questions):
    registeredusersnum: int = question("The number of registered users")


@form(NS)
class Disabled(Questions):
    disabledusersnum: int = question("The number of disabled users")


@form(NS)
class Online(Questions):
    onlineusersnum: int = question("The number of online users")


@form(NS)
class Active(Questions):
    activeusersnum: int = question("The number of active users")


@form(NS)
class Idle(Questions):
    idleusersnum: int = question("The number of idle users")


@form(NS, title="Requesting a List of Users")
class ListUsers(Questions):
    max_items: MaxItems = question("Maximum number of users to show", default="25")


@form(NS)
class RegisteredList(Questions):
    registereduserjids: tuple[JID, ...] = question("Registered users")


@form(NS)
class DisabledList(Questions):
    disableduserjids: tuple[JID, ...] = question("Disabled users")


@form(NS)
class OnlineList(Questions):
    onlineuserjids: tuple[JID, ...] = question("Online users")


@form(NS)
class ActiveList(Questions):
    activeuserjids: tuple[JID, ...] = question("Active users")


@form(NS)
class IdleList(Questions):
    activeuserjids: tuple[JID, ...] = question("Idle users")


@form(NS, title="Making an Announcement", instructions="It goes to everybody who is online now.")
class Announce(Questions):
    announcement: tuple[str, ...] = question("Announcement", required=True)


@form(NS, title="Message of the Day", instructions="Everybody gets it once, when they come online.")
class MessageOfTheDay(Questions):
    motd: tuple[str, ...] = question("Message of the day", required=True)


@form(NS, title="Welcome Message", instructions="New users get it when they come online for the first time.")
class Welcome(Questions):
    welcome: tuple[str, ...] = question("Welcome message", required=True)


@form(NS, title="Editing the Admin List", instructions="Those of the configuration are administrators in any case.")
class EditAdmins(Questions):
    adminjids: tuple[JID, ...] = question("Administrators")


@form(NS, title="Restarting the Service", instructions="Everybody is disconnected, and comes back by and by.")
class Restart(Questions):
    delay: Delay = _delay("Time before it is restarted")
    announcement: tuple[str, ...] = question("Announcement")


@form(NS, title="Shutting Down the Service")
class ShutDown(Questions):
    delay: Delay = _delay("Time before it is shut down")
    announcement: tuple[str, ...] = question("Announcement")
