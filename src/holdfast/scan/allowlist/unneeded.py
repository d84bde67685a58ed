"""Packages that no trained model needs, by what they are for: a name out of one is refused, not merely unknown.

The principle: a model's state is numbers, text and objects of the library that trained it. A package belongs here
where its purpose is to talk to the network, to run programs, to build or serve software, or to read and write other
people's data. Packages that train models or prepare their inputs are never listed here, however rarely used.
Names are those that code imports.
"""

from __future__ import annotations

from typing import Final

UNNEEDED: Final[dict[str, str]] = {
    "network clients: they fetch and send": (
        "requests httpx aiohttp urllib3 httplib2 pycurl treq grequests requests_html requests_toolbelt cloudscraper "
        "websocket websockets socketio engineio paramiko fabric asyncssh scp pysftp ftputil smbprotocol smbclient "
        "ldap3 ldap imapclient dns scapy pyshark netmiko nmap pysnmp socks sockshandler zmq grpc thrift zeep suds "
        "gevent eventlet twisted tornado trio anyio curio h2 hpack httpcore httptools hyperframe aioquic slack_sdk "
        "telegram tweepy praw discord twilio sendgrid mechanize scrapy selenium playwright pyppeteer bs4 feedparser "
        "newspaper yt_dlp youtube_dl gdown wget tldextract"
    ),
    "cloud, storage and hub clients: they fetch and send": (
        "boto3 botocore aiobotocore s3fs s3transfer gcsfs fsspec adlfs smart_open azure "
        "googleapiclient gspread msal hvac consul etcd3 kubernetes docker podman openstack libcloud minio dropbox "
        "huggingface_hub kaggle wandb comet_ml neptune clearml aim sagemaker openai anthropic cohere litellm "
        "langchain langchain_core langchain_community llama_index modelscope oss2 webdav3 pooch cloudpathlib upath"
    ),
    "database drivers and queues: they connect": (
        "sqlalchemy psycopg psycopg2 asyncpg aiopg pymysql MySQLdb mysql aiomysql pymssql pyodbc cx_Oracle oracledb "
        "pymongo motor redis aioredis cassandra elasticsearch opensearchpy neo4j influxdb clickhouse_driver "
        "clickhouse_connect snowflake databricks duckdb apsw aiosqlite peewee pony tortoise mongoengine sqlmodel "
        "alembic records dataset ibis kafka confluent_kafka pika kombu celery rq dramatiq huey arq nats stomp "
        "pymemcache memcache bmemcached lmdb plyvel rocksdb tinydb ZODB jaydebeapi jpype impala pyhive trino"
    ),
    "readers of tables and documents: they open files": (
        "polars dask distributed modin vaex datatable fugue pyspark petl agate csvkit tablib xlrd xlwt openpyxl "
        "xlsxwriter pyxlsb odf docx pptx pypdf PyPDF2 pdfminer pdfplumber fitz camelot tabula tika textract "
        "fastparquet tables h5py zarr netCDF4 xarray rasterio fiona geopandas pyreadstat pyreadr intake datasets "
        "tifffile imageio rarfile py7zr patoolib libarchive unrar lxml defusedxml xmltodict untangle "
        ""
    ),
    "programs and processes: they run commands": (
        "sh plumbum pexpect ptyprocess psutil invoke delegator envoy sarge execnet pssh ansible ansible_runner salt "
        "fabric2 pywinauto pyautogui win32api win32com win32process wexpect winpty "
        "daemon supervisor circus watchdog apscheduler schedule crontab pynput keyboard pyperclip "
        "cffi pycparser pyximport Cython numexpr comtypes pythonnet clr py4j jnius rpy2 oct2py matlab execjs js2py "
        "dukpy quickjs py_mini_racer llvmlite RestrictedPython asteval simpleeval"
    ),
    "shells, notebooks and debuggers: they run what they read": (
        "IPython ipykernel ipywidgets jupyter jupyter_client jupyter_core jupyter_server notebook nbconvert nbformat "
        "nbclient papermill jupyterlab bpython ptpython xonsh prompt_toolkit pudb ipdb rpdb remote_pdb pdbpp pydevd "
        "debugpy ptvsd pyinstrument line_profiler memory_profiler pyflame viztracer manhole rpyc Pyro4 Pyro5 "
        "spyder spyder_kernels "
    ),
    "template engines and parsers of code: they run what they read": (
        "jinja2 mako chameleon genshi tenjin Cheetah django_jinja pystache chevron pybars airspeed "
        "yaml ruamel oyaml strictyaml hydra omegaconf configobj dynaconf jsonpickle serpy marshmallow "
        "pyparsing lark ply antlr4 parso jedi libcst astor astunparse redbaron baron bowler rope "
        "jsonnet pykwalify anyconfig toml tomlkit pytoml "
    ),
    "web frameworks and servers: they serve": (
        "flask django fastapi starlette uvicorn hypercorn gunicorn waitress bottle cherrypy pyramid sanic falcon "
        "quart responder werkzeug aiohttp_jinja2 connexion flask_sqlalchemy rest_framework channels daphne masonite "
        "web webpy hug morepath tg turbogears mod_wsgi uwsgi meinheld bjoern paste webob webtest "
        "streamlit gradio dash panel bokeh voila shiny nicegui chainlit solara itsdangerous markupsafe "
        "locust litestar robyn blacksheep"
    ),
    "builders, installers and testers: they install and run": (
        "pip setuptools wheel pkg_resources easy_install virtualenv pipenv poetry flit flit_core hatch "
        "hatchling pdm build installer twine conda conda_build mamba pyinstaller PyInstaller cx_Freeze py2exe "
        "py2app nuitka shiv pex scons SCons cmake ninja meson mesonbuild skbuild scikit_build waf bazel "
        "pytest _pytest py nose nose2 tox nox coverage hypothesis behave robot unittest2 testtools mock doit luigi "
        "airflow prefect dagster kedro snakemake metaflow buildbot pre_commit black flake8 pylint mypy pyflakes "
        "pycodestyle autopep8 isort bandit sphinx docutils mkdocs git gitdb dulwich pygit2 hgapi cookiecutter copier "
        "pkginfo importlib_resources pythran"
    ),
    "command lines, screens and windows: they show and ask": (
        "click typer fire docopt plac cement cliff argcomplete argh colorama termcolor rich blessed curtsies urwid "
        "textual PyQt4 PyQt5 PyQt6 PySide2 PySide6 wx kivy pygame gi pyglet "
        "loguru structlog sentry_sdk logbook rollbar newrelic ddtrace opentelemetry datadog statsd"
    ),
    "loaders of other pickles and packers of code": (
        "picklescan fickling modelscan uncompyle6 decompyle3 xdis unpyc pyarmor bytecode codetransformer byteplay "
        "pyrasite codejail pickleshare klepto diskcache sqlitedict persist_queue "
    ),
}
"""Purpose to the packages that have it."""
