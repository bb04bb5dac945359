# The appliance as a machine of the host. Until its notes say whose it is it goes by a name that nobody else gives.

function Test-Appliance {
    param($Vm, [string]$SetupId)
    if ([string]$Vm.Name -eq (Get-SetupName -SetupId $SetupId)) {
        return $true
    }
    return Test-SetupMark -Notes ([string]$Vm.Notes) -SetupId $SetupId
}

function Find-Appliance {
    param([string]$SetupId)
    foreach ($vm in @(Get-AllMachines)) {
        if (Test-Appliance -Vm $vm -SetupId $SetupId) {
            return $vm
        }
    }
    return $null
}

function Get-Appliance {
    param([string]$SetupId)
    $vm = Find-Appliance -SetupId $SetupId
    if ($null -eq $vm) {
        Stop-Operation -Code 'machine_unknown' -Message "no machine carries $(Get-SetupMark -SetupId $SetupId) in its notes"
    }
    return $vm
}

# How much of a file has come, which is sent to the one name and then has the other.
function Invoke-ExpectFile {
    param($Request)
    New-Folder -Path ([IO.Path]::GetDirectoryName($Request.path))
    $partBytes = $null
    if ([IO.File]::Exists($Request.part)) {
        $partBytes = [int64](New-Object -TypeName IO.FileInfo -ArgumentList @($Request.part)).Length
    }
    return [ordered]@{ whole = [IO.File]::Exists($Request.path); partBytes = $partBytes }
}

# One that came otherwise than it was sent is removed, and sent again from its beginning.
function Invoke-TakeFile {
    param($Request)
    if ([IO.File]::Exists($Request.path)) {
        return [ordered]@{ taken = $true; found = $null }
    }
    if (-not [IO.File]::Exists($Request.part)) {
        Stop-Operation -Code 'not_there' -Message "$($Request.part) is not there"
    }
    $found = [string](Get-FileHash -LiteralPath $Request.part -Algorithm 'SHA256').Hash
    if ($found -ne $Request.sha256) {
        [IO.File]::Delete($Request.part)
        return [ordered]@{ taken = $false; found = $found.ToLowerInvariant() }
    }
    Complete-File -From $Request.part -To $Request.path
    return [ordered]@{ taken = $true; found = $found.ToLowerInvariant() }
}

function Invoke-CreateAppliance {
    param($Request)
    $made = $false
    $vm = Find-Appliance -SetupId $Request.setupId
    $unfinished = Get-SetupName -SetupId $Request.setupId
    if ($null -eq $vm) {
        $vm = New-VM -Name $unfinished -Path $Request.directory -Generation ([int16]2) -NoVHD
        $made = $true
    }
    # The name is the last thing that is set: what has another is whole, or was renamed by somebody afterwards.
    if ($vm.Name -eq $unfinished) {
        Set-ApplianceWishes -Vm $vm -SetupId $Request.setupId
        Set-ApplianceHardware -Vm $vm -Request $Request
        Set-MachineNics -Vm $vm -Nics $Request.nics
        Set-VM -VM $vm -NewVMName $Request.name
    }
    return [ordered]@{ vmId = ConvertTo-Guid -Text $vm.Id; made = $made }
}

# Guests read through it: it comes with the host, and goes last. A checkpoint would move what is written to targets into other
# files. It is shut down, not saved: its clock and its sessions would be of another time.
function Set-ApplianceWishes {
    param($Vm, [string]$SetupId)
    $wishes = @{
        VM = $Vm
        Notes = "Rouse's appliance: no checkpoints, and in no backup job`r`n" + (Get-SetupMark -SetupId $SetupId)
        AutomaticStartAction = 'Start'
        AutomaticStopAction = 'ShutDown'
        CheckpointType = 'Disabled'
    }
    Set-VM @wishes
    if ((Get-Command -Name 'Set-VM').Parameters.ContainsKey('AutomaticCheckpointsEnabled')) {
        Set-VM -VM $Vm -AutomaticCheckpointsEnabled $false
    }
}

# Controllers cannot be added to a machine that runs, and each takes 64 disks: all four from the beginning.
function Set-ApplianceHardware {
    param($Vm, $Request)
    Set-VMMemory -VM $Vm -DynamicMemoryEnabled $false -StartupBytes ([int64]$Request.memoryMiB * 1048576)
    Set-VMProcessor -VM $Vm -Count ([int64]$Request.processors)
    foreach ($drive in @(Get-VMDvdDrive -VM $Vm)) {
        Remove-VMDvdDrive -VMDvdDrive $drive
    }
    while (@(Get-VMScsiController -VM $Vm).Length -lt 4) {
        Add-VMScsiController -VM $Vm
    }
    $disk = Find-Drive -Vm $Vm -Path $Request.disk
    if ($null -eq $disk) {
        Add-VMHardDiskDrive -VM $Vm -ControllerType 'SCSI' -ControllerNumber 0 -ControllerLocation 0 -Path $Request.disk
        $disk = Find-Drive -Vm $Vm -Path $Request.disk
    }
    Set-VMFirmware -VM $Vm -EnableSecureBoot 'Off' -FirstBootDevice $disk
}

# With the seed disk, where there is one to be read.
function Invoke-StartAppliance {
    param($Request)
    $vm = Get-Appliance -SetupId $Request.setupId
    if ((Get-RestingStates) -notcontains (Get-SettledState -Vm $vm)) {
        return [ordered]@{ started = $false }
    }
    if ($null -ne $Request.seed) {
        if ($null -eq (Find-Drive -Vm $vm -Path $Request.seed)) {
            Add-VMHardDiskDrive -VM $vm -ControllerType 'SCSI' -ControllerNumber 0 -ControllerLocation 1 -Path $Request.seed
        }
    }
    Start-VM -VM $vm
    return [ordered]@{ started = $true }
}

# What it boots next reads a seed anew.
function Invoke-StopAppliance {
    param($Request)
    $vm = Get-Appliance -SetupId $Request.setupId
    $stopped = -not (Test-Stopped -State ([string]$vm.State))
    Stop-Appliance -Vm $vm -Files $Request.files
    return [ordered]@{ stopped = $stopped }
}

# One with other disks than its own is at work for somebody: those are of recoveries. A saved one would go on where it was.
function Stop-Appliance {
    param($Vm, $Files)
    foreach ($drive in @(Get-VMHardDiskDrive -VM $Vm)) {
        if ($Files -notcontains [string]$drive.Path) {
            Stop-Operation -Code 'state_wrong' -Message "the appliance has the disk $($drive.Path)"
        }
    }
    Stop-Machine -Vm $Vm
    if ((Get-SettledState -Vm $Vm) -like '*Saved*') {
        Remove-VMSavedState -VM $Vm
    }
}

function Invoke-RemoveSeed {
    param($Request)
    $vm = Find-Appliance -SetupId $Request.setupId
    if ($null -ne $vm) {
        $drive = Find-Drive -Vm $vm -Path $Request.path
        if ($null -ne $drive) {
            Remove-VMHardDiskDrive -VMHardDiskDrive $drive
        }
    }
    $removed = Remove-FilesInside -Paths @($Request.path, $Request.part) -Directory $Request.directory
    return [ordered]@{ removed = ([int]$removed -gt 0) }
}

function Invoke-RemoveAppliance {
    param($Request)
    $removed = $false
    $vm = Find-Appliance -SetupId $Request.setupId
    if ($null -ne $vm) {
        Stop-Appliance -Vm $vm -Files $Request.files
        Remove-VM -VM $vm -Force
        $removed = $true
    }
    [void](Remove-FilesInside -Paths $Request.files -Directory $Request.directory)
    Remove-EmptyFolder -Path $Request.directory
    if ($null -ne $Request.datastore) {
        Remove-EmptyFolder -Path $Request.datastore
    }
    return [ordered]@{ removed = $removed }
}
