"""Where moto behaves otherwise than AWS documents, on the paths that kapstan uses."""

from urllib.parse import parse_qs

from moto.iam.models import iam_backends

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
INLINE_POLICIES = 10_240
ROLE_NAME = 64


def refuse(call, body, account):
    """The error with which AWS would refuse a call that moto takes, or None."""
    if call["service"] != "iam":
        return None
    asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    role = asked.get("RoleName", "")
    if call["operation"] == "CreateRole" and len(role) > ROLE_NAME:
        message = f"Value at 'roleName' failed to satisfy constraint: length at most {ROLE_NAME}"
        return {"error": "ValidationError", "message": message}
    if call["operation"] == "PutRolePolicy":
        return too_large(asked, account)
    return None


def too_large(asked, account):
    """moto takes inline policies of any size."""
    backend = iam_backends[account]["aws"]
    role = next((r for r in backend.roles.values() if r.name == asked["RoleName"]), None)
    if role is None:
        return None
    policies = dict(role.policies, **{asked["PolicyName"]: asked["PolicyDocument"]})
    size = sum(len("".join(str(text).split())) for text in policies.values())
    if size > INLINE_POLICIES:
        message = f"Maximum policy size of {INLINE_POLICIES} bytes exceeded for role {role.name}"
        return {"error": "LimitExceeded", "status": 409, "message": message}
    return None
