#!/usr/bin/python3
"""objects dump|check|drill|restore|prune STORE, objects carry|compare FROM TO

Takes the buckets of an S3 store to a backup's place and back, with all that S3 says of each object. STORE is a section
of rclone's configuration; $TO is the store's folder in the place, $STAMP or $AT the run.

    <run>/buckets.00000     each bucket with its policy, and each object with key, type, metadata, tags and checksum, as
                            JSON lines; a stream of `backup put`
    content/ab/ab12….00000  an object's content in parts of at most 4 GiB, by a name that is made of bucket, key, time and
                            etag: any key fits any place, and what is there already is not copied again

`carry` brings every bucket and object from one store to another, and removes nothing there. It may be run again: an
object of the same description that is no older there is not copied twice. `compare` then reads all of both, and ends
with an error for each object that differs. FROM and TO are sections of rclone's configuration, too.
"""
import concurrent.futures
import configparser
import errno
import hashlib
import io
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import threading
import urllib.parse

import boto3
import boto3.s3.transfer
import botocore.config
import botocore.exceptions
import botocore.handlers

MIB = 1 << 20
PART = int(os.environ.get("PART_BYTES", 4096 * MIB))
WORKERS = 4  # each with a piece or two of 16 MiB in 256 MiB
FAILURES = (OSError, botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError, boto3.exceptions.Boto3Error)
# As the S3 API names them, in answers and in requests.
DESCRIPTION = ["ContentType", "CacheControl", "ContentDisposition", "ContentEncoding", "ContentLanguage", "Metadata"]


def plain(value):
    """As rclone reads it: in backquotes, the last one is the end."""
    return value[1 : value.rindex("`")] if value.startswith("`") and value.count("`") > 1 else value


def client(section):
    config = configparser.RawConfigParser()
    config.read(os.environ["RCLONE_CONFIG"])
    of = {key: plain(value) for key, value in config[section].items()}
    made = boto3.client(
        "s3",
        endpoint_url=of["endpoint"],
        region_name=of["region"],
        aws_access_key_id=of["access_key_id"],
        aws_secret_access_key=of["secret_access_key"],
        config=botocore.config.Config(
            s3={"addressing_style": "path"},
            retries={"max_attempts": 5},
            connect_timeout=10,
            max_pool_connections=WORKERS,
        ),
    )
    # Servers take UTF-8 in metadata; the library refuses what is not ASCII, and would send it as Latin-1.
    for call in ["PutObject", "CreateMultipartUpload"]:
        made.meta.events.unregister(f"before-parameter-build.s3.{call}", botocore.handlers.validate_ascii_metadata)
    made.meta.events.register("before-send.s3", as_utf8)
    made.renamed = "buckets" in of
    if made.renamed:
        rename(made, json.loads(of["buckets"]))
    return made


def rename(made, names):
    """The store has the buckets under other names than the application, and may have more of them."""
    made.meta.events.register("provide-client-params.s3", lambda params, **_: renamed(params, names))
    made.list_buckets = lambda: {"Buckets": [{"Name": name} for name in names]}


def renamed(params, names):
    return {**params, "Bucket": names.get(params["Bucket"], params["Bucket"])} if "Bucket" in params else params


def as_utf8(request, **_):
    for name, value in list(request.headers.items()):
        if isinstance(value, str) and not value.isascii():
            request.headers[name] = value.encode()


def from_latin1(text):
    """A header as it came: its bytes are UTF-8 where they can be."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


# --- places ---------------------------------------------------------------------------------------------------------


class Folder:
    def __init__(self, root):
        self.root = pathlib.Path(root)

    def list(self):
        for file in self.root.glob("*/*"):
            yield f"{file.parent.name}/{file.name}", file.stat().st_size

    def read(self, name):
        return open(self.root / name, "rb")

    def write(self, name, source):
        file = self.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_name(f"half-{file.name}")
        try:
            with open(half, "wb") as opened:
                while chunk := source.read(MIB):
                    opened.write(chunk)
            half.rename(file)
        except BaseException:
            half.unlink(missing_ok=True)
            raise

    def delete(self, name):
        (self.root / name).unlink(missing_ok=True)


class Bucket:
    def __init__(self, section, root):
        self.s3 = client(section)
        self.bucket, _, self.prefix = root.partition("/")

    def list(self):
        for page in pages(self.s3, Bucket=self.bucket, Prefix=f"{self.prefix}/"):
            for found in page:
                yield found["Key"][len(self.prefix) + 1 :], found["Size"]

    def read(self, name):
        return self.s3.get_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")["Body"]

    def write(self, name, source):
        upload(self.s3, self.bucket, f"{self.prefix}/{name}", source, PART, {})

    def delete(self, name):
        self.s3.delete_object(Bucket=self.bucket, Key=f"{self.prefix}/{name}")


def place():
    to = f"{os.environ['TO']}/content"
    return Bucket("place", to.removeprefix("place:")) if to.startswith("place:") else Folder(to)


def pages(s3, **of):
    for page in s3.get_paginator("list_objects_v2").paginate(**of):
        yield page.get("Contents", [])


def upload(s3, bucket, key, source, size, description):
    """In pieces of 16 MiB; of an object that would need more than 9000 of them, in larger ones."""
    piece = max(16 * MIB, -(-size // 9000))
    config = boto3.s3.transfer.TransferConfig(
        multipart_threshold=piece, multipart_chunksize=piece, max_concurrency=1, use_threads=False
    )
    s3.upload_fileobj(source, bucket, key, ExtraArgs=description, Config=config)


class Limited(io.RawIOBase):
    """What passes from `source`, at most `limit` bytes of it, into a checksum."""

    def __init__(self, source, limit, sha256):
        self.source, self.left, self.sha256, self.passed = source, limit, sha256, 0

    def readable(self):
        return True

    def readinto(self, into):
        data = self.source.read(min(self.left, len(into)))
        self.left -= len(data)
        self.passed += len(data)
        self.sha256.update(data)
        into[: len(data)] = data
        return len(data)


class Joined(io.RawIOBase):
    """An object's content out of its parts, into a checksum."""

    def __init__(self, at, name, size, sha256):
        self.parts = (at.read(part) for part, _ in parts_of(name, size))
        self.now, self.sha256 = next(self.parts), sha256

    def readable(self):
        return True

    def readinto(self, into):
        while self.now is not None:
            if data := self.now.read(len(into)):
                self.sha256.update(data)
                into[: len(data)] = data
                return len(data)
            self.now.close()
            self.now = next(self.parts, None)
        return 0


def whole(raw):
    """Reads as much as is asked for: a library takes less for the end."""
    return io.BufferedReader(raw, MIB)


def parts_of(name, size):
    """Names and sizes; of an empty object one empty part."""
    for number in range(max(1, -(-size // PART))):
        yield f"{name}.{number:05}", min(PART, size - number * PART)


# --- runs -----------------------------------------------------------------------------------------------------------


def lines_of(stamp):
    """The list of a run, or an error where it is not as it was written."""
    asked = {**os.environ, "AT": stamp}
    with subprocess.Popen(["backup", "get", "buckets"], stdout=subprocess.PIPE, env=asked) as reader:
        for line in reader.stdout:
            yield json.loads(line)
    if reader.returncode != 0:
        sys.exit(f"the list of objects of {stamp} cannot be read")


def objects_of(stamp):
    return (line for line in lines_of(stamp) if "key" in line)


def runs():
    return subprocess.run(["backup", "runs"], check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def database():
    """On disk: a place may have more objects than memory."""
    made = sqlite3.connect("", check_same_thread=False)  # a file without a name
    made.execute("CREATE TABLE parts (name TEXT PRIMARY KEY, size INTEGER)")
    made.execute("CREATE TABLE sums (name TEXT PRIMARY KEY, sum TEXT)")
    return made


def there(at):
    known = database()
    known.executemany("INSERT OR REPLACE INTO parts VALUES (?, ?)", at.list())
    return known


def has(known, name, size):
    return all(
        known.execute("SELECT size FROM parts WHERE name = ?", [part]).fetchone() == (of,)
        for part, of in parts_of(name, size)
    )


# --- verbs ----------------------------------------------------------------------------------------------------------


def no_room(error):
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    if isinstance(error, botocore.exceptions.ClientError):
        code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"].get("HTTPStatusCode")
        return status == 507 or "Full" in code or "Quota" in code
    return False


def dump(store):
    s3, at = client(store), place()
    known, written, asking = there(at), [], threading.Lock()
    stamps = runs()
    if stamps:
        sums = ((each["content"], each["sha256"]) for each in objects_of(stamps[-1]))
        known.executemany("INSERT OR REPLACE INTO sums VALUES (?, ?)", sums)

    def one(bucket, key):
        """None: it has been deleted meanwhile. Another state of it than was listed is as good."""
        try:
            return saved(bucket, key)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchKey"):
                return None
            if error.response["Error"]["Code"] in ("412", "PreconditionFailed"):
                return one(bucket, key)
            raise

    def saved(bucket, key):
        head = s3.head_object(Bucket=bucket, Key=key)
        size, etag = head["ContentLength"], head["ETag"]
        identity = json.dumps([bucket, key, size, etag, head["LastModified"].isoformat(), PART])
        name = hashlib.sha256(identity.encode()).hexdigest()
        name = f"{name[:2]}/{name}"
        line = {"bucket": bucket, "key": key, "size": size, "etag": etag, "content": name, **description(head)}
        if int(head["ResponseMetadata"]["HTTPHeaders"].get("x-amz-tagging-count", 0)) > 0:
            line["tags"] = s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"]
        line["sha256"] = kept(name, size) or copied(bucket, key, name, size, etag)
        return line

    def kept(name, size):
        """The checksum of what the place has; of what a run that did not get through has left, read there."""
        with asking:
            if not has(known, name, size):
                return None
            found = known.execute("SELECT sum FROM sums WHERE name = ?", [name]).fetchone()
        return found[0] if found else digest(at, name, size)

    def copied(bucket, key, name, size, etag):
        sha256, passed = hashlib.sha256(), 0
        body = s3.get_object(Bucket=bucket, Key=key, IfMatch=etag)["Body"]
        for part, length in parts_of(name, size):
            source = Limited(body, length, sha256)
            written.append(part)
            at.write(part, whole(source))
            passed += source.passed
        if passed != size:
            raise OSError(f"{bucket}/{key} ended after {passed} of {size} bytes")
        return sha256.hexdigest()

    put = subprocess.Popen(["backup", "put", "buckets"], stdin=subprocess.PIPE, text=True)
    workers = concurrent.futures.ThreadPoolExecutor(WORKERS)
    try:
        for bucket in (each["Name"] for each in s3.list_buckets()["Buckets"]):
            print(json.dumps({"bucket": bucket, "policy": policy(s3, bucket)}), file=put.stdin)
            for page in pages(s3, Bucket=bucket):
                for line in workers.map(lambda found: one(bucket, found["Key"]), page):
                    if line is not None:
                        print(json.dumps(line), file=put.stdin)
        put.stdin.close()
    except BaseException as error:
        workers.shutdown(cancel_futures=True)
        put.communicate()  # the run that this belongs to is thrown away
        if no_room(error):  # what is there of this run would keep the place full
            for part in written:
                at.delete(part)
        raise
    if put.wait() != 0:
        sys.exit("the list of objects could not be written")


def description(head):
    found = {key: head[key] for key in DESCRIPTION if head.get(key)}
    if "Expires" in head:
        found["Expires"] = head["Expires"].isoformat()
    return {
        key: {k: from_latin1(v) for k, v in value.items()} if key == "Metadata" else from_latin1(value)
        for key, value in found.items()
    }


def policy(s3, bucket):
    try:
        return s3.get_bucket_policy(Bucket=bucket)["Policy"]
    except botocore.exceptions.ClientError:
        return None


def allow(s3, bucket, text):
    """A store that knows no policies keeps the objects to those with a key."""
    if text is None:
        return
    try:
        s3.put_bucket_policy(Bucket=bucket, Policy=text)
    except botocore.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] != 501:
            raise
        print(f"{bucket}: its policy is left out, as this store knows none: {text}", file=sys.stderr)


def tagging(tags):
    return urllib.parse.urlencode([(tag["Key"], tag["Value"]) for tag in tags])


def digest(at, name, size):
    sha256 = hashlib.sha256()
    with whole(Joined(at, name, size, sha256)) as content:
        while content.read(MIB):
            pass
    return sha256.hexdigest()


def named(line):
    return f"{line['bucket']}/{line['key']}"


def some(names):
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def check(_):
    """Every object that the run lists is in the place, with all of its bytes."""
    known = there(place())
    lost = [named(line) for line in objects_of(os.environ["AT"]) if not has(known, line["content"], line["size"])]
    if lost:
        sys.exit(f"{len(lost)} objects are not in the place: {some(lost)}")


def drill(_):
    """Every byte is read, as a restore would read it, and compared."""
    at = place()

    def intact(line):
        try:
            return digest(at, line["content"], line["size"]) == line["sha256"]
        except FAILURES:
            return False

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        lost = []
        for lines in batches(objects_of(os.environ["AT"])):
            lost += [named(line) for line, good in zip(lines, workers.map(intact, lines)) if not good]
    if lost:
        sys.exit(f"{len(lost)} objects are lost or not what was saved: {some(lost)}")


def batches(lines):
    batch = []
    for line in lines:
        batch.append(line)
        if len(batch) == 1000:
            yield batch
            batch = []
    yield batch


def restore(store):
    s3, at = client(store), place()
    stamp = os.environ["AT"]
    buckets = [line for line in lines_of(stamp) if "key" not in line]
    have = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    for bucket in (line["bucket"] for line in buckets):
        if bucket in have and s3.list_objects_v2(Bucket=bucket, MaxKeys=1).get("KeyCount", 0) > 0:
            sys.exit(f"bucket {bucket} is not empty: restore goes into empty buckets only")
    for line in buckets:
        if line["bucket"] not in have:
            s3.create_bucket(Bucket=line["bucket"])
        # A policy has the buckets' names in it; where these are others, whoever made the buckets wrote theirs.
        if not s3.renamed:
            allow(s3, line["bucket"], line["policy"])

    def one(line):
        try:
            return brought_back(line)
        except FAILURES as error:
            return f"{named(line)} ({error})"

    def brought_back(line):
        given = {key: line[key] for key in [*DESCRIPTION, "Expires"] if key in line}
        if "tags" in line:
            given["Tagging"] = tagging(line["tags"])
        sha256 = hashlib.sha256()
        content = whole(Joined(at, line["content"], line["size"], sha256))
        upload(s3, line["bucket"], line["key"], content, line["size"], given)
        head = s3.head_object(Bucket=line["bucket"], Key=line["key"])
        want = {key: line[key] for key in [*DESCRIPTION, "Expires"] if key in line}
        same = [sha256.hexdigest(), head["ContentLength"], description(head)] == [line["sha256"], line["size"], want]
        return None if same else f"{named(line)} is not what was saved"

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        wrong = [why for lines in batches(objects_of(stamp)) for why in workers.map(one, lines) if why]
    if wrong:
        sys.exit(f"{len(wrong)} objects could not be restored: {some(wrong)}")


def prune(_):
    """Content that is in no run's list any more."""
    at = place()
    known = there(at)
    for stamp in runs():
        for line in objects_of(stamp):
            known.executemany("DELETE FROM parts WHERE name = ?", ([part] for part, _ in parts_of(line["content"], line["size"])))
    for (part,) in known.execute("SELECT name FROM parts"):
        at.delete(part)


# --- from one store to another --------------------------------------------------------------------------------------


def listed(s3, bucket):
    return (found for page in pages(s3, Bucket=bucket) for found in page)


def told(s3, bucket, key):
    """What S3 says of an object, the time apart; None if there is none."""
    try:
        head = s3.head_object(Bucket=bucket, Key=key)
    except botocore.exceptions.ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return None, None
        raise
    return {"size": head["ContentLength"], **description(head)}, head


def carry(store, to):
    source, target = client(store), client(to)
    have = {each["Name"] for each in target.list_buckets()["Buckets"]}
    counts = {"objects": 0, "copied": 0, "bytes": 0}

    def one(bucket, key):
        said, head = told(source, bucket, key)
        if said is None:
            return None  # it has been deleted meanwhile
        there, its = told(target, bucket, key)
        if there == said and its["LastModified"] >= head["LastModified"]:
            return False, 0
        given = {key: said[key] for key in [*DESCRIPTION, "Expires"] if key in said}
        if int(head["ResponseMetadata"]["HTTPHeaders"].get("x-amz-tagging-count", 0)) > 0:
            given["Tagging"] = tagging(source.get_object_tagging(Bucket=bucket, Key=key)["TagSet"])
        sha256 = hashlib.sha256()
        body = source.get_object(Bucket=bucket, Key=key, IfMatch=head["ETag"])["Body"]
        upload(target, bucket, key, whole(Limited(body, said["size"], sha256)), said["size"], given)
        if told(target, bucket, key)[0] != said:
            raise OSError(f"{bucket}/{key} is not described there as it is here")
        return True, said["size"]

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        for bucket in (each["Name"] for each in source.list_buckets()["Buckets"]):
            if bucket not in have:
                target.create_bucket(Bucket=bucket)
            allow(target, bucket, policy(source, bucket))
            for page in pages(source, Bucket=bucket):
                for copied, size in filter(None, workers.map(lambda found: one(bucket, found["Key"]), page)):
                    counts["objects"] += 1
                    counts["copied"] += copied
                    counts["bytes"] += size
    print(f"{counts['objects']} objects, {counts['copied']} of them copied now: {counts['bytes']} bytes")


def compare(store, to):
    source, target = client(store), client(to)
    count, size, wrong = 0, 0, []

    def digest_of(s3, bucket, key):
        sha256 = hashlib.sha256()
        for data in s3.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(MIB):
            sha256.update(data)
        return sha256.hexdigest()

    def one(bucket, key):
        try:
            said, _ = told(source, bucket, key)
            same = said == told(target, bucket, key)[0]
            same = same and digest_of(source, bucket, key) == digest_of(target, bucket, key)
            return None if same else f"{bucket}/{key}"
        except FAILURES as error:
            return f"{bucket}/{key} ({error})"

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        for bucket in (each["Name"] for each in source.list_buckets()["Buckets"]):
            for page in pages(source, Bucket=bucket):
                wrong += [why for why in workers.map(lambda found: one(bucket, found["Key"]), page) if why]
                count += len(page)
                size += sum(found["Size"] for found in page)
            more = sum(1 for _ in listed(target, bucket)) - sum(1 for _ in listed(source, bucket))
            if more > 0:
                print(f"{bucket}: {more} objects more in {to} than in {store}")
    if wrong:
        sys.exit(f"{len(wrong)} of {count} objects are not the same in {to}: {some(wrong)}")
    print(f"{count} objects with {size} bytes are the same in both, by their SHA-256")


verbs = {each.__name__: each for each in [dump, check, drill, restore, prune, carry, compare]}
try:
    verbs[sys.argv[1]](*sys.argv[2:])
except FAILURES as error:
    sys.exit(f"objects: {error}")
