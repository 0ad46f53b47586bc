"""Records spans from object stores on loopback with `rootline record --spans`: python objects.py ROOTLINE SPANS [S3RVER]

Not part of CI: it needs moto[s3,server] and boto3, pyarrow for the comparison, and SPANS, a folder of
benches/lake/spans.py. S3RVER is the program of npm's s3rver, a second implementation. moto computes every
signature anew; s3rver lets anybody read. It shows: the rows are those of `rootline rollup` of the files for the same
window; only footers and row groups of the window come over the wire, as a relay counts that stands
between; other days are not opened; a wrong key, no bucket and a server that goes away are gaps that say
why, and no secret is written. Everything that it starts it ends by process id.
"""
import glob, json, os, shutil, socket, subprocess, sys, tempfile, threading, time, urllib.request
import boto3
from botocore.config import Config

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, f"{ROOT}/benches/lake")
from engines import run, same
from nodes import end, port

WINDOW = ["--from", "2026-11-20T19:05:03Z", "--to", "2026-11-20T19:09:08Z"]
SECRET = "the+secret/of=the lab"


class Relay(threading.Thread):
    """Passes connections on and counts what comes back."""

    def __init__(self, behind):
        super().__init__(daemon=True)
        self.behind, self.bytes, self.listener = behind, 0, socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.start()

    def run(self):
        while True:
            client, _ = self.listener.accept()
            server = socket.create_connection(("127.0.0.1", self.behind))
            for a, b, counts in ((client, server, False), (server, client, True)):
                threading.Thread(target=self.pass_on, args=(a, b, counts), daemon=True).start()

    def pass_on(self, a, b, counts):
        try:
            while data := a.recv(1 << 16):
                self.bytes += len(data) if counts else 0
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def moto(folder):
    at = port()
    argv = [os.path.join(os.path.dirname(sys.executable), "moto_server"), "-H", "127.0.0.1", "-p", str(at)]
    server = subprocess.Popen(argv, stdout=open(f"{folder}/moto.log", "wb"), stderr=subprocess.STDOUT)
    # Who asks is looked up and the signature computed anew, but only after the upload.
    iam = boto3.client("iam", endpoint_url=f"http://127.0.0.1:{at}", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    for _ in range(100):
        time.sleep(0.3)
        if socket.socket().connect_ex(("127.0.0.1", at)) == 0:
            break
    iam.create_user(UserName="lab")
    key = iam.create_access_key(UserName="lab")["AccessKey"]
    allowed = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="lab", PolicyName="all", PolicyDocument=json.dumps(allowed))

    def strict():
        urllib.request.urlopen(urllib.request.Request(f"http://127.0.0.1:{at}/moto-api/reset-auth", data=b"0", method="POST", headers={"Content-Type": "text/plain"}))
    return server, at, key["AccessKeyId"], key["SecretAccessKey"], strict


def s3rver(folder, program):
    at = port()
    argv = [program, "--directory", f"{folder}/store", "--address", "127.0.0.1", "--port", str(at)]
    server = subprocess.Popen(argv, stdout=open(f"{folder}/s3rver.log", "wb"), stderr=subprocess.STDOUT)
    for _ in range(100):
        time.sleep(0.3)
        if socket.socket().connect_ex(("127.0.0.1", at)) == 0:
            break
    return server, at, "S3RVER", "S3RVER", lambda: None


def upload(at, key, secret, spans):
    """The minutes as they are, and their first file once more as another day's."""
    s3 = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{at}", region_name="us-east-1", aws_access_key_id=key,
                      aws_secret_access_key=secret, config=Config(s3={"addressing_style": "path"}))
    s3.create_bucket(Bucket="lake")
    files = sorted(glob.glob(f"{spans}/**/*.parquet", recursive=True))
    for path in files:
        s3.upload_file(path, "lake", f"shop spans/date=2026-11-20/{os.path.relpath(path, spans)}")
    s3.upload_file(files[0], "lake", f"shop spans/date=2026-11-10/{os.path.basename(files[0])}")
    s3.put_object(Bucket="lake", Key="shop spans/_SUCCESS", Body=b"")
    return sum(os.path.getsize(f) for f in files)


def record(rootline, url, out, env, *more):
    argv = [rootline, "record", "--spans", url, "-o", out, *WINDOW, *more]
    return subprocess.run(argv, env={**os.environ, **env}, capture_output=True, text=True)


def refused(rootline, out, env):
    wrong = record(rootline, "s3://lake/shop spans/", f"{out}-wrong", {**env, "AWS_SECRET_ACCESS_KEY": SECRET})
    print("wrong key:", wrong.stderr.splitlines()[0])
    assert wrong.returncode != 0 and "403" in wrong.stderr, wrong.stderr


def check(name, rootline, spans, folder, started):
    server, at, key, secret, strict = started
    try:
        whole = upload(at, key, secret, spans)
        strict()
        relay = Relay(at)
        env = {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_ENDPOINT_URL": relay.url, "AWS_REGION": "us-east-1"}
        out, local = f"{folder}/{name}", f"{folder}/{name}-local"
        began = time.time()
        done = record(rootline, "s3://lake/shop spans/", out, env)
        took, wire = time.time() - began, relay.bytes
        print(done.stderr, end="")
        assert done.returncode == 0, done.stderr
        print(f"{name}: {took:.1f} s, {wire} bytes of {whole} came over the wire, load {os.getloadavg()[0]:.0f}", flush=True)
        assert wire < whole / 4 and "1 of other days left out" in done.stderr
        run(rootline, "rollup", spans, "-o", local, *WINDOW)
        same(name, local, f"{out}/spans")
        again = record(rootline, "s3://lake/shop spans/", out, env)
        assert again.returncode == 0 and "nothing is left to do" in again.stderr, again.stderr
        assert relay.bytes == wire, "a finished recording asks nothing"
        if name == "moto":
            refused(rootline, out, env)
        nowhere = record(rootline, "s3://no-such-bucket/x", f"{out}-none", env)
        print("no bucket:", nowhere.stderr.splitlines()[0])
        assert nowhere.returncode != 0 and "404" in nowhere.stderr or "403" in nowhere.stderr, nowhere.stderr
    finally:
        end([server])
    gone = record(rootline, "s3://lake/shop spans/", f"{out}-gone", {**env, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{at}"})
    print("gone:", gone.stderr.splitlines()[0])
    assert gone.returncode != 0 and "missing: spans" in gone.stderr, gone.stderr
    for path in glob.glob(f"{folder}/{name}*/**/*", recursive=True):
        if os.path.isfile(path):
            text = open(path, errors="replace").read()
            assert SECRET not in text and (secret == key or secret not in text), path


def main():
    rootline, spans = map(os.path.abspath, sys.argv[1:3])
    folder = tempfile.mkdtemp(prefix="rootline-objects-")
    try:
        check("moto", rootline, spans, folder, moto(folder))
        if len(sys.argv) > 3:
            check("s3rver", rootline, spans, folder, s3rver(folder, sys.argv[3]))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
